"""Runs with published checkpoints on a real folder store, made through the same doors that a session uses; no training behind them."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.files import hash_file
from batonpass.core.model import EndKind, FileEntry, Host, Manifest
from batonpass.core.settings import read_settings
from batonpass.sync.active import ActiveSession
from batonpass.sync.creation import Wanted
from batonpass.sync.handover import Patience
from batonpass.sync.joining import join_run
from batonpass.sync.machine import process_mark
from batonpass.sync.pruning import Keep
from batonpass.sync.stores import open_store


@dataclass
class Published:
    """A run as it was made: its root folder on this disk, and the bytes of every checkpoint's files by step."""

    root: Path
    name: str
    run_id: str
    session: str
    folder: str
    contents: dict[int, dict[str, bytes]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The run's folder on this disk."""
        return self.root / self.folder


def write_checkpoint(folder: Path, run_id: str, session: str, step: int, contents: dict[str, bytes], rows: int = 0):
    """A whole local checkpoint; returns its folder and manifest."""
    target = folder / naming.checkpoint_name(step, session, 1)
    target.mkdir(parents=True)
    entries = []
    for name, content in contents.items():
        (target / name).write_bytes(content)
        digest = hash_file(target / name)
        entries.append(FileEntry(name, "", digest.size_bytes, digest.sha256, digest.md5))
    manifest = Manifest(run_id, session, 1, step, 0.0, datetime.now(UTC), tuple(entries), metric_rows=rows)
    (target / "manifest.json").write_bytes(encode(manifest))
    return target, manifest


@contextlib.contextmanager
def joined_session(
    root: Path, home: Path, name: str, *, account: str = "school", process: str | None = None, takeover: bool = False
):
    """An open session of a run; a started service that looks often. Left open: the caller closes it."""
    store = open_store(str(root), replace(read_settings(), home=home))
    host = Host("other", "m1", process or process_mark())
    patience = Patience(lease_s=0.2, say=lambda _line: None)
    wanted = Wanted(name, account=account, goal_steps=10_000, takeover=takeover)
    joined = join_run(store, wanted, home=home, host=host, patience=patience)
    state = {"step": 0}
    active = ActiveSession(
        joined, home=home, facts=lambda: dict(state), keep=Keep(last=100), every_s=0.05, patience=patience
    )
    active.start()
    try:
        yield active, state
    finally:
        active.service.stop()


def publish(
    root: Path, home: Path, name: str = "cats-v2", steps=(100, 200), *, kind=EndKind.CLOSED, close=True, seed=0
) -> Published:
    """A run with one session that published a checkpoint at each of `steps`, then ended (or not, with close=False)."""
    draw = random.Random(seed)
    with joined_session(root, home, name) as (active, state):
        joined = active.joined
        made = Published(root, name, joined.info.run_id, joined.session, joined.folder)
        for step in steps:
            contents = {"model.safetensors": draw.randbytes(3000), "trainer.json": b'{"step": %d}' % step}
            made.contents[step] = contents
            state["step"] = step
            directory, manifest = write_checkpoint(
                joined.local.checkpoints, joined.info.run_id, joined.session, step, contents, rows=step
            )
            active.enqueue(directory, manifest)
            assert active.service.drain(30)
            assert active.service.durable is not None
            made.keys[step] = active.service.durable.key
        if close:
            assert active.close(kind)
    return made
