"""Whether a checkpoint holds the state of one moment, although training goes on while it is written.

Each run saves, and changes every tensor in place until the writer is done. What was written is then compared, byte for byte, with what the
tensors held when the save was asked for.
"""

from __future__ import annotations

import shutil
import threading
import warnings
from pathlib import Path
from typing import Protocol

from rivals import DcpAsync, LightningAsync, lightning_is_here
from tables import render

from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import State, digest_of, draft, flat, make_state


class Writer(Protocol):
    """One way to save while training goes on."""

    def save(self) -> None:
        """Begin."""

    def committed(self) -> bool:
        """The writing has ended."""

    def digest(self) -> str:
        """Of what was written."""

    def clean(self) -> int:
        """Remove it."""


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """200 runs of each, rivals in turns."""
    runs, width, layers = (3, 64, 2) if smoke else (200, 256, 8)
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process: on purpose
    state, fresh = make_state(width, layers, seed=seed), make_state(width, layers, seed=seed + 1)
    mine = (state.model, state.optimizer, folder)
    writers: dict[str, Writer] = {
        "batonpass": Ours(state, fresh, folder / "ours"),
        "batonpass without its copy, and nobody waits (must be noticed)": Ours(
            state, fresh, folder / "bare", copies=False
        ),
        DcpAsync.name: Theirs(DcpAsync(*mine)),
    }
    if lightning_is_here():
        writers[LightningAsync.name] = Theirs(LightningAsync(*mine))
    torn, changed = dict.fromkeys(writers, 0), dict.fromkeys(writers, 0)
    for _ in range(runs):
        for name, writer in writers.items():
            expected = state.digest()
            writer.save()
            over = False
            while not over:
                over = writer.committed()
                state.step()
                changed[name] += 1
            torn[name] += writer.digest() != expected
            writer.clean()
    rows = [[name, str(runs), str(changed[name]), f"**{torn[name]}**"] for name in writers]
    size = sum(t.numel() * t.element_size() for t in state.tensors().values()) / 1e6
    title = f"Torn snapshots: {size:.0f} MB of AdamW state, changed in place while it is written, seed {seed}"
    return render(title, ["", "saves", "times all was changed meanwhile", "torn"], rows)


class Ours:
    """The snapshot and the commit of a run, with the writer's thread that a run has."""

    def __init__(self, state: State, fresh: State, folder: Path, *, copies: bool = True) -> None:
        """Without `copies` there is no room for one; `run.save` would then wait, this does not."""
        self._state, self._fresh, self._folder = state, fresh, folder
        self._snapshotter = Snapshotter(None if copies else lambda: 0)
        self._step = 0
        self._thread = threading.Thread()

    def save(self) -> None:
        """Begin."""
        snapshot = self._snapshotter.take(self._state.attached, {})
        assert snapshot is not None
        self._step += 1

        def write() -> None:
            write_checkpoint(snapshot, self._folder, draft(self._step))
            snapshot.release()

        self._thread = threading.Thread(target=write)
        self._thread.start()

    def committed(self) -> bool:
        """The writing has ended."""
        return not self._thread.is_alive()

    def digest(self) -> str:
        """Of what was written."""
        (written,) = self._folder.iterdir()
        apply(read_checkpoint(written), self._fresh.attached)
        return self._fresh.digest()

    def clean(self) -> int:
        """Remove it."""
        shutil.rmtree(self._folder)
        return 0


class Theirs:
    """A rival of the comparison of savings."""

    def __init__(self, rival: DcpAsync | LightningAsync) -> None:
        self._rival = rival
        self.save, self.committed, self.clean = rival.save, rival.committed, rival.clean

    def digest(self) -> str:
        """Of what was written."""
        return digest_of(flat(self._rival.read()))
