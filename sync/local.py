"""Where a run's things lie on this machine before (and while) they are mirrored. One folder per session; its lock says who writes.

    <home>/runs/<root id>-<run id>/<session>/
        session.lock        held by the one process that writes this session's file on the store
        place.json          which store and which run folder it belongs to
        metrics.jsonl       every metric row, in order
        shipped             empty: a later process has sent all that was left here
        checkpoints/<name>/ committed checkpoints, each with its manifest.json

All of it may be deleted at any time; what had not been mirrored by then is lost.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from batonpass.core.errors import CorruptCheckpointError, FormatError
from batonpass.core.manifest_file import decode_manifest
from batonpass.core.model import Manifest

MANIFEST = "manifest.json"
_SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class LocalSession:
    """The folder of one session on this machine."""

    path: Path

    @property
    def session(self) -> str:
        """The session's id."""
        return self.path.name

    @property
    def metrics(self) -> Path:
        """Where its metric rows are appended."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints are committed."""
        return self.path / "checkpoints"

    def lock(self) -> FileLock:
        """The lock of the one writer; take it with `acquire(timeout=0)`. The operating system frees it when the process dies."""
        return FileLock(self.path / "session.lock", thread_local=False)

    def committed(self) -> list[tuple[Path, Manifest]]:
        """Every whole checkpoint here, oldest first. A folder without a readable manifest is not one."""
        found = []
        for folder in self.checkpoints.glob("*/") if self.checkpoints.is_dir() else ():
            try:
                found.append((folder, decode_manifest((folder / MANIFEST).read_bytes(), key=folder.name)))
            except (OSError, FormatError, CorruptCheckpointError):
                continue
        return sorted(found, key=lambda pair: (pair[1].metric_rows, pair[1].step, pair[1].attempt))

    @property
    def is_empty(self) -> bool:
        """Nothing was trained here: no metric row and no checkpoint."""
        rows = self.metrics.stat().st_size if self.metrics.exists() else 0
        return not rows and not self.committed()

    @property
    def is_shipped(self) -> bool:
        """All that was left here when its writer was gone is on the store."""
        return (self.path / _SHIPPED).exists()

    def note_shipped(self) -> None:
        """Remember that nothing in here is needed any more but for a faster resume. OSError where the disk takes nothing."""
        (self.path / _SHIPPED).touch()

    def place(self) -> dict[str, str]:
        """What `place.json` says: `store` (URL) and `folder`; empty when it cannot be read."""
        try:
            content = json.loads((self.path / "place.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def remove(self) -> None:
        """Forget this session on this machine."""
        shutil.rmtree(self.path, ignore_errors=True)


def run_home(home: Path, root_id: str, run_id: str) -> Path:
    """The folder of one run on this machine."""
    return home / "runs" / f"{root_id}-{run_id}"


def create_local_session(
    home: Path, root_id: str, run_id: str, session: str, *, store_url: str, folder: str
) -> tuple[LocalSession, FileLock]:
    """Make the folder of a new session on this machine; its lock is taken before anybody could call it abandoned."""
    local = LocalSession(run_home(home, root_id, run_id) / session)
    with _census(local.path.parent):
        local.checkpoints.mkdir(parents=True)
        (local.path / "place.json").write_text(json.dumps({"store": store_url, "folder": folder}), encoding="utf-8")
        lock = local.lock()
        lock.acquire(timeout=0)
    return local, lock


def abandoned_sessions(home: Path, root_id: str, run_id: str) -> list[tuple[LocalSession, FileLock]]:
    """Sessions of this run on this machine whose writer is gone, oldest first, each with its lock already taken."""
    found = []
    parent = run_home(home, root_id, run_id)
    with _census(parent):
        for path in sorted(parent.iterdir()):
            if not path.is_dir():
                continue
            local = LocalSession(path)
            lock = local.lock()
            try:
                lock.acquire(timeout=0)
            except (Timeout, OSError):
                continue
            found.append((local, lock))
    return found


def _census(parent: Path) -> FileLock:
    """Held for the moment in which sessions come into being or are counted, so that none is met half made."""
    parent.mkdir(parents=True, exist_ok=True)
    return FileLock(parent / "census.lock")
