"""Who uploads: ours, rclone as it comes, rclone tuned, plain PyDrive2. Each is a process, on an account of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from drive_emulator.accounts import FULL

from drive.ground import MIB, Ground
from drive.speaking import Child

HERE = Path(__file__).resolve().parent
TUNED = ("--drive-chunk-size", "128M", "--transfers", "8", "--checkers", "8", "--drive-pacer-min-sleep", "1ms")
OURS, RCLONE, RCLONE_TUNED, PYDRIVE = "batonpass", "rclone", "rclone, tuned", "PyDrive2"


class Client(Protocol):
    """One uploader of one file. `prepare` is not measured; `begin` starts the upload, `finish` waits for its end.

    After a kill, `restart` is what a person or the product does next, to the end.
    """

    name: str
    account: str

    def prepare(self, size_bytes: int, *, sparse: bool = False) -> None: ...
    def begin(self) -> Child: ...
    def finish(self) -> float: ...
    def restart(self) -> None: ...
    def close(self) -> None: ...


def rclone_path() -> str | None:
    """The program, from this environment first."""
    return shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def make(name: str, ground: Ground, place: Path) -> Client:
    """The client of that name, with a fresh account and the empty folder `place`."""
    place.mkdir(parents=True)
    if name == OURS:
        return Ours(ground, place)
    return PyDrive2(ground, place) if name == PYDRIVE else Rclone(ground, place, tuned=name == RCLONE_TUNED)


def present() -> list[str]:
    """Everybody who can take part here."""
    rclone = [RCLONE, RCLONE_TUNED] if rclone_path() else []
    return [OURS, *rclone, PYDRIVE]


class Ours:
    """A session of a run that has already published a small checkpoint, as every later checkpoint of a session meets it."""

    name = OURS

    def __init__(self, ground: Ground, place: Path) -> None:
        self.account = ground.account()
        self._home = place / "home"
        self._environment = {
            **os.environ,
            "BATONPASS_DRIVE_TOKEN": ground.emulator.token(self.account),
            "BATONPASS_DRIVE_ENDPOINT": ground.emulator.url,
            "BATONPASS_HOME": str(self._home),
        }
        self.times: dict[str, Any] = {}
        self.child = self._open()

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Have something done in the session's process."""
        self.child.tell(do=do, **fields)
        return self.child.hear()

    def prepare(self, size_bytes: int, *, sparse: bool = False) -> None:
        """The first, small checkpoint is published; the large one lies committed on the disk."""
        self.ask("commit", step=1, size_bytes=1000)
        self.ask("send")
        self.ask("commit", step=2, size_bytes=size_bytes, sparse=sparse)

    def begin(self) -> Child:
        self.child.tell(do="send")
        return self.child

    def finish(self) -> float:
        """Seconds to VERIFIED; `times` has the rest."""
        self.times = self.child.hear()
        return float(self.times["verified_s"])

    def restart(self) -> None:
        """The notebook's kernel again: joining ships what was left."""
        self.child = self._open()
        if not any("shipped step" in line for line in self.said):
            raise RuntimeError(f"nothing was shipped: {self.said} {self.child.errors()}")

    def close(self) -> None:
        self.child.close()

    def _open(self) -> Child:
        child = Child([sys.executable, str(HERE / "session.py"), str(self._home)], self._environment)
        self.said: list[str] = child.hear()["said"]
        return child


class Rclone:
    """`rclone copy` of a folder into one that is already there. Its time includes its own start, as at every use."""

    def __init__(self, ground: Ground, place: Path, *, tuned: bool) -> None:
        self.name = RCLONE_TUNED if tuned else RCLONE
        self.account = ground.account()
        self.place, self._tuned = place, tuned
        grant = ground.emulator.control("grant", account=self.account, client_id="another.example", scopes=[FULL])
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        token = {"access_token": grant["access_token"], "refresh_token": grant["refresh_token"]}
        token |= {"token_type": "Bearer", "expiry": until}
        remote = {"TYPE": "drive", "CLIENT_ID": "another", "CLIENT_SECRET": "secret", "TOKEN": json.dumps(token)}
        (place / "rclone.conf").touch()
        self._environment = {
            **os.environ,
            **ground.emulator.proxy(),
            **{f"RCLONE_CONFIG_DRIVE_{key}": value for key, value in remote.items()},
            "RCLONE_CONFIG_DRIVE_ROOT_FOLDER_ID": grant["root_id"],
            "RCLONE_CONFIG": str(place / "rclone.conf"),
        }

    def prepare(self, size_bytes: int, *, sparse: bool = False) -> None:
        fill(self.place / "here" / "model.bin", size_bytes, sparse=sparse)
        self.run("mkdir", "drive:there")

    def begin(self) -> Child:
        self._started = time.perf_counter()
        self._child = self.start("copy", str(self.place / "here"), "drive:there")
        return self._child

    def finish(self) -> float:
        if self._child.process.wait(600):
            raise RuntimeError(f"rclone: {self._child.errors()}")
        took = time.perf_counter() - self._started
        self._child.close()
        return took

    def restart(self) -> None:
        """The same command again."""
        self.begin()
        self.finish()

    def close(self) -> None:
        """Nothing stays open."""

    def start(self, *arguments: str) -> Child:
        """Any command of rclone."""
        path = rclone_path()
        assert path is not None
        return Child([path, *arguments, *(TUNED if self._tuned else ())], self._environment)

    def run(self, *arguments: str) -> None:
        """To the end; RuntimeError where it fails."""
        child = self.start(*arguments)
        if child.close():
            raise RuntimeError(f"rclone: {child.errors()}")


class PyDrive2:
    """A script that calls `CreateFile`, `SetContentFile`, `Upload`; after a failure a person calls it again."""

    name = PYDRIVE

    def __init__(self, ground: Ground, place: Path) -> None:
        self.account = ground.account()
        self.place = place
        grant = ground.emulator.control("grant", account=self.account, client_id="another.example", scopes=[FULL])
        self._environment = {**os.environ, "PYDRIVE_URL": ground.emulator.url, "PYDRIVE_GRANT": json.dumps(grant)}
        self.child = self._open()

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Have something done in its process."""
        self.child.tell(do=do, **fields)
        return self.child.hear()

    def prepare(self, size_bytes: int, *, sparse: bool = False) -> None:
        fill(self.place / "here" / "model.bin", size_bytes, sparse=sparse)

    def begin(self) -> Child:
        self.child.tell(do="send", path=str(self.place / "here" / "model.bin"))
        return self.child

    def finish(self) -> float:
        return float(self.child.hear()["sent_s"])

    def restart(self) -> None:
        self.child = self._open()
        self.begin()
        self.finish()

    def close(self) -> None:
        self.child.close()

    def _open(self) -> Child:
        child = Child([sys.executable, str(HERE / "plain_pydrive.py")], self._environment)
        child.hear()
        return child


def fill(path: Path, size_bytes: int, *, sparse: bool) -> None:
    """A file of random bytes, or of none at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if sparse:
            file.truncate(size_bytes)
        else:
            for start in range(0, size_bytes, MIB):
                file.write(os.urandom(min(MIB, size_bytes - start)))
