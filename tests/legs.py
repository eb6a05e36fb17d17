"""Plays sessions of a run without torch: a session that commits small checkpoints and hands them to the real service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.model import FileEntry, Host, Manifest
from batonpass.core.storage import Store
from batonpass.sync.active import ActiveSession
from batonpass.sync.creation import Wanted
from batonpass.sync.handover import Patience
from batonpass.sync.joining import join_run
from batonpass.sync.local import MANIFEST
from batonpass.sync.machine import process_mark
from batonpass.sync.pruning import Keep


def host(machine: str = "machine-1", process: str | None = None) -> Host:
    """A machine; its process is this one unless said otherwise."""
    return Host("other", machine, process or process_mark())


class FakeTime:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Leg:
    """One session; `train` logs and moves on, `save` commits and waits until the store has it."""

    def __init__(
        self,
        store: Store,
        home: Path,
        *,
        name: str = "cats",
        on: Host | None = None,
        lease_s: float | None = None,
        **wanted: Any,
    ) -> None:
        self.said: list[str] = []
        self.step, self.trained_s = 0, 0.0
        time = FakeTime()
        self.patience = Patience(lease_s, time.sleep, time.monotonic, self.said.append)
        self.joined = join_run(store, Wanted(name, **wanted), home=home, host=on or host(), patience=self.patience)
        self.active = ActiveSession(
            self.joined, home=home, facts=self.facts, keep=Keep(), every_s=0.05, patience=self.patience
        )
        self._attempts: dict[int, int] = {}

    def facts(self) -> dict[str, Any]:
        return {"step": self.step, "epoch": 0.0, "trained_s": self.trained_s, "steps_done": self.step}

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.step += 1
            self.trained_s += 1.0
            self.joined.log.log(self.step, 0.0, {"loss": 1.0 / self.step})

    def commit(self, content: bytes = b"") -> tuple[Path, Manifest]:
        """Write a checkpoint to this disk, as the training's writer does."""
        self.joined.log.flush(10)
        attempt = self._attempts[self.step] = self._attempts.get(self.step, 0) + 1
        folder = self.joined.local.checkpoints / naming.checkpoint_name(self.step, self.joined.session, attempt)
        folder.mkdir(parents=True)
        body = content or f"weights of step {self.step}".encode()
        (folder / "model.safetensors").write_bytes(body)
        entry = FileEntry("model.safetensors", "", len(body), hashlib.sha256(body).hexdigest(), "")
        manifest = Manifest(
            run_id=self.joined.info.run_id,
            session=self.joined.session,
            attempt=attempt,
            step=self.step,
            epoch=0.0,
            created_at=datetime.now(UTC),
            files=(entry,),
            metric_rows=self.joined.log.rows,
            trained_s=self.trained_s,
        )
        (folder / MANIFEST).write_bytes(encode(manifest))
        return folder, manifest

    def save(self, content: bytes = b"") -> Manifest:
        """Commit and mirror on this thread."""
        folder, manifest = self.commit(content)
        listing = self.active.mirror.send(folder, manifest)
        self.joined.writer.add_checkpoint(listing)
        self.joined.writer.change(**self.facts())
        self.joined.writer.publish()
        return replace(manifest)

    def die(self) -> None:
        """The process is gone: nothing is said, the operating system frees the lock."""
        self.active.service.stop()
        self.joined.close()


@contextmanager
def leg(*args: Any, **kwargs: Any) -> Iterator[Leg]:
    """A leg that dies at the end, whatever happens."""
    one = Leg(*args, **kwargs)
    try:
        yield one
    finally:
        one.die()
