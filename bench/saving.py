"""What a save costs the training: how long it waits, how much slower its steps are until the bytes are safe, and both together.

All rivals save the same state of the same running training to the same disk, in an order drawn anew in each round.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from big_training import BigTraining
from machine import PeakMemory, settle
from rivals import DcpAsync, LightningAsync, Safetensors, TorchSave, lightning_is_here
from tables import render, spread

Rival = TorchSave | Safetensors | DcpAsync | LightningAsync
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


FULL = Size(rounds=20, width=1024, layers=20, quiet_steps=5, gentle=False)
SMOKE = Size(rounds=1, width=256, layers=4, quiet_steps=2, gentle=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One save. Times in seconds; `busy` are the bodies of the training steps during the writing."""

    stall_s: float
    until_s: float
    busy: tuple[float, ...]
    quiet_s: float
    """A step's body right before the save, median."""
    cpu_s: float
    """Processor seconds of the whole process beyond what as many quiet steps use."""
    extra_bytes: int | None
    size_bytes: int

    @property
    def lost_s(self) -> float:
        """What the training lost in all: the wait, and what its steps took beyond quiet ones."""
        return self.stall_s + sum(self.busy) - len(self.busy) * self.quiet_s

    @property
    def slower(self) -> float:
        """How many times longer a step took during the writing, medians."""
        return median(self.busy) / self.quiet_s


class Watch:
    """What stands beside one save: the quiet steps before it, and clocks that begin when it is made."""

    def __init__(self, training: BigTraining, size: Size) -> None:
        settle(sync=not size.gentle)
        training.steps(2)
        cpu = process_time()
        self._quiet_s = median(training.steps(size.quiet_steps))
        self._quiet_cpu_s = (process_time() - cpu) / size.quiet_steps
        self._training = training
        self._busy: list[float] = []
        self._memory: PeakMemory
        self._started = self._cpu = 0.0

    def begin(self) -> None:
        """The save is about to be made."""
        self._memory = PeakMemory()
        self._cpu, self._started = process_time(), perf_counter()

    def train_until(self, done: Callable[[], bool]) -> None:
        """Train on while it is being written."""
        while not done():
            self._busy += self._training.steps(1)
            if perf_counter() - self._started > PATIENCE_S:
                raise TimeoutError(f"not finished after {PATIENCE_S:.0f} s: {self._training.run.status()}")

    def result(self, stall_s: float, size_bytes: int) -> Attempt:
        """The save as far as it has come now."""
        cpu = process_time() - self._cpu - len(self._busy) * self._quiet_cpu_s
        until = perf_counter() - self._started if self._busy else stall_s
        return Attempt(stall_s, until, tuple(self._busy), self._quiet_s, cpu, self._memory.extra_bytes(), size_bytes)


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Run the rounds; returns the table."""
    size = SMOKE if smoke else FULL
    training = BigTraining(folder / "store", width=size.width, layers=size.layers, seed=seed)
    mine = (training.model, training.optimizer, folder)
    rivals: list[Rival] = [
        TorchSave(*mine, fsync=False),
        TorchSave(*mine, fsync=True),
        Safetensors(*mine),
        DcpAsync(*mine),
    ]
    if lightning_is_here():
        rivals.append(LightningAsync(*mine))
    attempts: dict[str, list[Attempt]] = {name: [] for name in [*(r.name for r in rivals), OURS, OURS_STORED]}
    rng = random.Random(seed)
    first = _save_ours(training, size)
    for rival in rivals:  # the first time of each is not counted, ours is told apart
        _save_theirs(training, rival, size)
    for number in range(size.rounds):
        print(f"saving: round {number + 1} of {size.rounds}", file=sys.stderr, flush=True)
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


def _save_theirs(training: BigTraining, rival: Rival, size: Size) -> Attempt:
    watch = Watch(training, size)
    training.step()
    watch.begin()
    started = perf_counter()
    rival.save()
    stall = perf_counter() - started
    if not rival.committed():
        training.fetch()
        watch.train_until(rival.committed)
        return replace(watch.result(stall, 0), size_bytes=rival.clean())
    attempt = watch.result(stall, 0)
    training.fetch()
    return replace(attempt, size_bytes=rival.clean())


def _save_ours(training: BigTraining, size: Size) -> tuple[Attempt, Attempt]:
    """The same save, looked at until it is whole on this disk, and until the store has it too."""
    watch = Watch(training, size)
    between = median(_gaps(training, 3))
    training.step()
    watch.begin()
    stall = training.save() - between
    watch.train_until(lambda: training.committed)
    written = training.newest_bytes
    committed = watch.result(stall, written)
    watch.train_until(lambda: training.stored)
    return committed, watch.result(stall, 2 * written)


def _gaps(training: BigTraining, count: int) -> list[float]:
    """Seconds from one body to the next when nothing is saved."""
    gaps = []
    for _ in range(count):
        training.step()
        gaps.append(training.fetch())
    return gaps


def _table(title: str, attempts: dict[str, list[Attempt]], first: Attempt) -> str:
    base = median(a.stall_s for a in attempts["torch.save"])
    head = [
        "",
        "training waits, ms",
        "ratio",
        "steps take, times",
        "lost in all, ms",
        "processor, ms",
        "finished after, s",
        "extra memory, MB",
        "written, MB",
    ]
    rows = []
    for name, done in attempts.items():
        stall = median(a.stall_s for a in done)
        extra = [
            a.extra_bytes for a in (*done, *([first] if name.startswith(OURS) else [])) if a.extra_bytes is not None
        ]
        rows.append(
            [
                name,
                spread([a.stall_s for a in done], 1e-3, 1),
                f"{stall / base:.3f}",
                spread([a.slower for a in done if a.busy], 1, 2),
                spread([a.lost_s for a in done], 1e-3),
                f"{median(a.cpu_s for a in done) * 1e3:.0f}",
                spread([a.until_s for a in done], 1, 1),
                f"{max(extra) / 1e6:.0f}" if extra else "not known",
                f"{median(a.size_bytes for a in done) / 1e6:.0f}",
            ]
        )
    note = f"The first `run.save` of a session makes its buffer too: {first.stall_s * 1e3:.0f} ms. The extra memory of `run.save` is that buffer; it stays.\n"
    return render(title, head, rows) + note
