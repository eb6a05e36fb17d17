"""What a save costs the training: how long it waits, how much slower its steps are until the bytes are safe, and both together.

All rivals save the same state of the same running training to the same disk, in an order drawn anew in each round.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from big_training import BigTraining
from machine import PeakMemory, settle
from rivals import DcpAsync, Safetensors, TorchSave
from tables import render, spread

OURS, OURS_STORED = "run.save", "run.save, until on the store"
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. A `gentle` run does not bring the whole system's writes to the disk before each save."""

    rounds: int
    width: int
    layers: int
    quiet_steps: int
    gentle: bool


FULL = Size(rounds=20, width=1024, layers=20, quiet_steps=6, gentle=False)
SMOKE = Size(rounds=1, width=256, layers=4, quiet_steps=2, gentle=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One save. Times in seconds; `busy` and `quiet` are bodies of training steps, during the writing and right before the save."""

    stall_s: float
    until_s: float
    busy: tuple[float, ...]
    quiet: tuple[float, ...]
    extra_bytes: int | None
    size_bytes: int

    @property
    def lost_s(self) -> float:
        """What the training lost in all: the wait, and what its steps took beyond quiet ones."""
        return self.stall_s + sum(self.busy) - len(self.busy) * median(self.quiet)


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Run the rounds; returns the table."""
    size = SMOKE if smoke else FULL
    training = BigTraining(folder / "store", width=size.width, layers=size.layers, seed=seed)
    mine = (training.model, training.optimizer, folder)
    rivals = [TorchSave(*mine, fsync=False), TorchSave(*mine, fsync=True), Safetensors(*mine), DcpAsync(*mine)]
    attempts: dict[str, list[Attempt]] = {name: [] for name in [*(r.name for r in rivals), OURS, OURS_STORED]}
    rng = random.Random(seed)
    first = _save_ours(training, size)
    for rival in rivals:  # the first time of each is not counted, ours is told apart
        _save_theirs(training, rival, size)
    for _ in range(size.rounds):
        for rival in rng.sample([*rivals, None], len(rivals) + 1):
            if rival is not None:
                attempts[rival.name].append(_save_theirs(training, rival, size))
                continue
            committed, stored = _save_ours(training, size)
            attempts[OURS].append(committed)
            attempts[OURS_STORED].append(stored)
    state = sum(p.numel() for p in training.model.parameters())
    problems = training.close()
    title = f"Saving {attempts['torch.save'][0].size_bytes / 1e6:.0f} MB ({state / 1e6:.1f} M parameters, AdamW, fp32), {size.rounds} saves each, seed {seed}"
    return "\n".join([_table(title, attempts, first[1]), *(f"PROBLEM: {problem}" for problem in problems)])


def _save_theirs(training: BigTraining, rival: TorchSave | Safetensors | DcpAsync, size: Size) -> Attempt:
    settle(sync=not size.gentle)
    quiet = training.steps(size.quiet_steps + 2)[2:]
    training.step()
    memory = PeakMemory()
    started = perf_counter()
    rival.save()
    stall = perf_counter() - started
    training.fetch()
    busy = _steps_until(training, rival.committed, started)
    until = perf_counter() - started if busy else stall
    return Attempt(stall, until, tuple(busy), tuple(quiet), memory.extra_bytes(), rival.clean())


def _save_ours(training: BigTraining, size: Size) -> tuple[Attempt, Attempt]:
    """The same save, looked at until it is whole on this disk, and until the store has it too."""
    settle(sync=not size.gentle)
    quiet = training.steps(size.quiet_steps + 2)[2:]
    between = median(_gaps(training, 3))
    training.step()
    memory = PeakMemory()
    started = perf_counter()
    stall = training.save() - between
    busy = _steps_until(training, lambda: training.committed, started)
    committed_s = perf_counter() - started
    written = training.newest_bytes
    committed = Attempt(stall, committed_s, tuple(busy), tuple(quiet), memory.extra_bytes(), written)
    busy += _steps_until(training, lambda: training.stored, started)
    stored = Attempt(stall, perf_counter() - started, tuple(busy), tuple(quiet), memory.extra_bytes(), 2 * written)
    return committed, stored


def _gaps(training: BigTraining, count: int) -> list[float]:
    """Seconds from one body to the next when nothing is saved."""
    gaps = []
    for _ in range(count):
        training.step()
        gaps.append(training.fetch())
    return gaps


def _steps_until(training: BigTraining, done: Callable[[], bool], started: float) -> list[float]:
    busy: list[float] = []
    while not done():
        busy += training.steps(1)
        if perf_counter() - started > PATIENCE_S:
            raise TimeoutError(f"not finished after {PATIENCE_S:.0f} s: {training.run.status()}")
    return busy


def _table(title: str, attempts: dict[str, list[Attempt]], first: Attempt) -> str:
    base = median(a.stall_s for a in attempts["torch.save"])
    head = [
        "",
        "training waits, ms",
        "ratio",
        "steps slower by",
        "lost in all, ms",
        "finished after, s",
        "extra memory, MB",
        "written, MB",
    ]
    rows = []
    for name, done in attempts.items():
        stall = median(a.stall_s for a in done)
        busy = [t for a in done for t in a.busy]
        slower = f"{median(busy) / median(t for a in done for t in a.quiet):.2f}x ({len(busy)} steps)" if busy else "-"
        extra = [
            a.extra_bytes for a in (*done, *([first] if name.startswith(OURS) else [])) if a.extra_bytes is not None
        ]
        rows.append(
            [
                name,
                spread([a.stall_s for a in done], 1e-3, 1),
                f"{stall / base:.3f}",
                slower,
                spread([a.lost_s for a in done], 1e-3),
                spread([a.until_s for a in done], 1, 1),
                f"{max(extra) / 1e6:.0f}" if extra else "not known",
                f"{median(a.size_bytes for a in done) / 1e6:.0f}",
            ]
        )
    note = f"The first `run.save` of a session makes its buffer too: {first.stall_s * 1e3:.0f} ms. The extra memory of `run.save` is that buffer; it stays.\n"
    return render(title, head, rows) + note
