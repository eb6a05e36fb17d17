"""Whether a checkpoint holds the state of one moment, although training goes on while it is written.

Each run saves, and changes every tensor in place until the writer is done. Our writer even begins only when all was changed once. What was
written is then compared, byte for byte, with what the tensors held when the save was asked for.
"""

from __future__ import annotations

import shutil
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from rivals import DcpAsync, LightningAsync, lightning_is_here
from tables import render

from batonpass.core.errors import CorruptCheckpointError
from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import State, digest_of, draft, flat, make_state

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "AdamW tensor by tensor": lambda p: torch.optim.AdamW(p, lr=1e-3, foreach=False),
    "AdamW foreach": lambda p: torch.optim.AdamW(p, lr=1e-3, foreach=True),
    "AdamW fused": lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
}


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
    """200 runs of each, rivals in turns; 50 with each way in which an optimizer can step in place."""
    runs, width, layers = (1, 64, 2) if smoke else (50, 256, 8)
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process: on purpose
    torn: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for number, make in enumerate(OPTIMIZERS.values()):
        states = [make_state(width, layers, seed=seed + i, make=make) for i in (0, 1)]
        writers = _writers(*states, folder / str(number))
        for name in writers:
            torn[name] += 0
        _play(states[0], writers, runs, torn, changed)
    rows = [[name, str(runs * len(OPTIMIZERS)), str(changed[name]), f"**{torn[name]}**"] for name in torn]
    title = f"Torn snapshots: a state changed in place while it is written ({', '.join(OPTIMIZERS)}), seed {seed}"
    return render(title, ["", "saves", "times all was changed meanwhile", "torn"], rows)


def _writers(state: State, fresh: State, folder: Path) -> dict[str, Writer]:
    folder.mkdir()
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
    return writers


def _play(state: State, writers: dict[str, Writer], runs: int, torn: Counter[str], changed: Counter[str]) -> None:
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


class Ours:
    """The snapshot and the commit of a run, with the writer's thread that a run has."""

    def __init__(self, state: State, fresh: State, folder: Path, *, copies: bool = True) -> None:
        """Without `copies` there is no room for one; `run.save` would then wait, this does not."""
        self._state, self._fresh, self._folder = state, fresh, folder
        self._snapshotter = Snapshotter(None if copies else lambda: 0)
        self._step = 0
        self._thread = threading.Thread()
        self._stepped = threading.Event()
        self._looks = 0

    def save(self) -> None:
        """Begin."""
        snapshot = self._snapshotter.take(self._state.attached, {})
        assert snapshot is not None
        self._step += 1
        self._looks = 0
        self._stepped.clear()

        def write() -> None:
            self._stepped.wait()
            write_checkpoint(snapshot, self._folder, draft(self._step))
            snapshot.release()

        self._thread = threading.Thread(target=write)
        self._thread.start()

    def committed(self) -> bool:
        """The writing has ended. Asked before each step: from the second time on, one was taken."""
        self._looks += 1
        if self._looks > 1:
            self._stepped.set()
        return not self._thread.is_alive()

    def digest(self) -> str:
        """Of what was written."""
        (written,) = self._folder.iterdir()
        try:
            apply(read_checkpoint(written), self._fresh.attached)
        except CorruptCheckpointError:  # it changed between its hash and its writing: torn, and noticed
            return "torn"
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
