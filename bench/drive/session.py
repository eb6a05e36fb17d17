"""The child process that is "ours": a session of a run on the emulator, joined, committed, mirrored and restarted by the product's own code.

    python session.py HOME            lines of JSON in, lines of JSON out; what it can is `Commands`

A restart is this program again in the same HOME: joining ships what the killed one left behind, as after a kernel restart.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.files import hash_file
from batonpass.core.model import FileEntry, Host, Manifest
from batonpass.core.settings import read_settings
from batonpass.sync.creation import Wanted
from batonpass.sync.handover import Patience
from batonpass.sync.joining import Joined, join_run
from batonpass.sync.journal import Artifact, Journal, State
from batonpass.sync.local import MANIFEST
from batonpass.sync.machine import process_mark
from batonpass.sync.mirror import Mirror
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store
from batonpass.sync.stores.retry import RetryStore

BLOCK = 1 << 20


class Noting:
    """A journal that also notes when the largest file was verified."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.verified_at = 0.0
        self._largest = 0

    def put(self, artifact: Artifact) -> None:
        """As the journal's."""
        self._journal.put(artifact)
        if artifact.state is State.VERIFIED and artifact.size_bytes >= self._largest:
            self._largest, self.verified_at = artifact.size_bytes, time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


def commit(joined: Joined, step: int, size_bytes: int, *, sparse: bool = False) -> tuple[Path, Manifest]:
    """A whole checkpoint of one file on this disk, as the training's writer leaves it."""
    folder = joined.local.checkpoints / naming.checkpoint_name(step, joined.session, 1)
    folder.mkdir(parents=True)
    path = folder / "model.safetensors"
    draw = random.Random(f"{joined.session} {step}")
    with path.open("wb") as file:
        if sparse:
            file.truncate(size_bytes)
        else:
            for start in range(0, size_bytes, BLOCK):
                file.write(draw.randbytes(min(BLOCK, size_bytes - start)))
    digest = hash_file(path)
    entry = FileEntry(path.name, "", digest.size_bytes, digest.sha256, digest.md5)
    manifest = Manifest(
        joined.info.run_id, joined.session, 1, step, 0.0, datetime.now(UTC), (entry,), metric_rows=joined.log.rows
    )
    (folder / MANIFEST).write_bytes(encode(manifest))
    return folder, manifest


def join(home: Path, say: Any = lambda _line: None) -> Joined:
    """A session of the run "bench" under `home`; the store is the one that the environment's token opens."""
    store = RetryStore(open_store("gdrive://batonpass", read_settings()))
    host = Host("other", "bench", process_mark())
    patience = Patience(lease_s=0.0, say=say)
    return join_run(store, Wanted("bench", account="bench", takeover=True), home=home, host=host, patience=patience)


@dataclass
class Commands:
    """What the parent may ask for, one method each; what it returns is the answer."""

    joined: Joined
    home: Path

    def commit(self, step: int, size_bytes: int, *, sparse: bool = False) -> dict[str, Any]:
        """Make a checkpoint on this disk."""
        self._made = commit(self.joined, step, size_bytes, sparse=sparse)
        return {}

    def send(self) -> dict[str, Any]:
        """Mirror it; seconds until its file was VERIFIED and until the checkpoint was listed (durable)."""
        joined = self.joined
        journal = Noting(joined.journal)
        mirror = Mirror(joined.store, joined.folder, journal)
        started = time.perf_counter()
        self._listing = mirror.send(*self._made)
        joined.writer.add_checkpoint(self._listing)
        joined.writer.publish()
        durable_s = time.perf_counter() - started
        mirror.published(self._listing, self._made[1])
        return {"verified_s": journal.verified_at - started, "durable_s": durable_s}

    def fetch(self) -> dict[str, Any]:
        """Bring it back, checked."""
        started = time.perf_counter()
        fetch_checkpoint(self.joined.store, self.joined.folder, self._listing, self.home / "back")
        return {"fetched_s": time.perf_counter() - started}

    def log(self, rows: int, age_s: float) -> dict[str, Any]:
        """Take rows as `run.log` would have, the oldest `age_s` ago."""
        log, now = self.joined.log, time.time()
        for number in range(rows):
            log.log(number, number / 1000, {"train/loss": 1 / (number + 1)}, now - age_s)
        log.flush(30)
        return {"size_bytes": self.joined.local.metrics.stat().st_size}

    def publish(self) -> dict[str, Any]:
        """One update of the session's file."""
        started = time.perf_counter()
        self.joined.writer.publish()
        record = self.joined.writer.record
        return {
            "durable_s": time.perf_counter() - started,
            "segments": len(record.segments),
            "tail": len(record.tail.rows),
        }


def main() -> None:
    """Serve the parent until its end of the pipe closes."""
    home = Path(sys.argv[1])
    said: list[str] = []
    started = time.perf_counter()
    joined = join(home, said.append)
    commands = Commands(joined, home)
    print(json.dumps({"joined_s": time.perf_counter() - started, "said": said}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(getattr(commands, asked.pop("do"))(**asked)), flush=True)


if __name__ == "__main__":
    main()
