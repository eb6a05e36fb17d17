"""The demo's training loop with Batonpass in it against the same loop without, in short turns in one process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any

import torch
from big_training import FOR_EVER, quiet
from tables import percentile, render
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import batonpass as bp
from batonpass.core.training.seeded_dataset import SeededDataset
from batonpass.demo.training import Digits, build_model

BLOCK = 40
"""Steps per turn: more than an epoch of the demo (29 batches), so that every turn opens one."""
BARE_STEPS = 2000


@dataclass(slots=True)
class Times:
    """Seconds of each part of each step, of each turn, and the processor's seconds that the training thread used in each turn."""

    fetch: list[float] = field(default_factory=list)
    body: list[float] = field(default_factory=list)
    log: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def step(self) -> list[float]:
        """Whole steps."""
        return [sum(parts) for parts in zip(self.fetch, self.body, self.log, strict=True)]


class Lane:
    """One of the two loops, advanced a turn at a time. `log` takes what the demo logs."""

    def __init__(self, training: Training, batches: Iterator[Any], log: Callable[..., None]) -> None:
        self.times = Times()
        self._training = training
        self._batches = batches
        self._log = log

    def turn(self, *, counted: bool = True) -> None:
        """A turn of `BLOCK` steps."""
        times = self.times if counted else Times()
        cpu, began = thread_time(), perf_counter()
        before = began
        for _ in range(BLOCK):
            images, labels = next(self._batches)
            fetched = perf_counter()
            values = self._training.step(images, labels)
            trained = perf_counter()
            self._log(**values)
            logged = perf_counter()
            times.fetch.append(fetched - before)
            times.body.append(trained - fetched)
            times.log.append(logged - trained)
            before = logged
        times.turns.append(before - began)
        times.cpu.append(thread_time() - cpu)


class Training:
    """The demo's model and the body of its loop."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.model = build_model()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=1000)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        """One step; returns what the demo logs, which both loops compute."""
        self.optimizer.zero_grad()
        logits = self.model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        values = {
            "loss": loss,
            "accuracy": (logits.argmax(1) == labels).float().mean(),
            "lr": self.scheduler.get_last_lr()[0],
        }
        self.scheduler.step()
        return values


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Both variants of the data; returns the tables."""
    digits = Digits()
    plain = TensorDataset(digits.images, digits.labels)
    seconds = 0.5 if smoke else 80.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the demo does
    try:
        variants = {
            "random augmentation (the demo)": _compare(folder / "augmented", digits, seconds, seed),
            "TensorDataset": _compare(folder / "tensors", plain, seconds, seed),
        }
        single = [
            _bare_loop_us(folder / "bare", 50 if smoke else BARE_STEPS),
            *_sample_us(digits, 200 if smoke else 20_000),
        ]
    finally:
        torch.set_num_threads(threads)
    return _tables(variants, single, seed)


def _compare(folder: Path, data: Dataset[Any], seconds: float, seed: int) -> tuple[Times, Times]:
    """Turns in pairs, in random order within a pair, for about `seconds`. Returns the times without and with Batonpass."""
    rng = random.Random(seed)
    with quiet():
        without = Training()
        bare = Lane(without, _for_ever(_loader(data)), lambda **_: None)
        training = Training()
        run = _start(folder, training, seed)
        ours = Lane(training, iter(run.steps(_loader(data))), run.log)
        for lane in (bare, ours):
            lane.turn(counted=False)
        end = perf_counter() + seconds
        while not bare.times.turns or perf_counter() < end:
            for lane in rng.sample([bare, ours], 2):
                lane.turn()
        problems = run.status().problems
        run.finish()
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return bare.times, ours.times


def _start(folder: Path, training: Training, seed: int) -> bp.Run:
    run = bp.start("digits", store=folder, goal_steps=FOR_EVER, seed=seed, precision="fp32")
    return run.attach(model=training.model, optimizer=training.optimizer, scheduler=training.scheduler)


def _loader(data: Dataset[Any]) -> DataLoader[Any]:
    return DataLoader(data, batch_size=64, shuffle=True)


def _for_ever(loader: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def _bare_loop_us(folder: Path, steps: int) -> float:
    """Median microseconds from one empty body to the next over a list that is ready: the loop's own bookkeeping and nothing else."""
    with quiet():
        run = _start(folder, Training(), 1)
        batches = iter(run.steps([None] * 100))
        next(batches)
        gaps = []
        for _ in range(steps):
            started = perf_counter()
            next(batches)
            gaps.append(perf_counter() - started)
        run.finish()
    return median(gaps) * 1e6


def _sample_us(data: Digits, count: int) -> tuple[float, float]:
    """Median microseconds to fetch one sample of the demo's data: as it is, and seeded for itself; taken in turns."""
    seeded = SeededDataset(data, 1)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(count):
        index = number % len(data)
        started = perf_counter()
        data[index]
        between = perf_counter()
        seeded[0, index]
        times[0].append(between - started)
        times[1].append(perf_counter() - between)
    return median(times[0]) * 1e6, median(times[1]) * 1e6


def _tables(variants: dict[str, tuple[Times, Times]], single: list[float], seed: int) -> str:
    head = [
        "with Batonpass / without",
        "step medians",
        "turns, middle half",
        "thread's CPU time",
        "total time",
        "without, µs/step",
        "with, µs/step",
        "steps each",
    ]
    title = f"The demo's loop, default save interval, folder store, turns of {BLOCK} steps, seed {seed}"
    rows = [_ratios(name, *times) for name, times in variants.items()]
    parts = [row for name, times in variants.items() for row in _parts(name, *times)]
    bookkeeping, plain, seeded = single
    parts += [
        ["one sample of the demo's data, seeded for itself", *_difference(plain, seeded)],
        ["the loop's bookkeeping alone, over a ready list", "-", f"{bookkeeping:.0f}", "-"],
    ]
    where = render("Where it goes (medians, µs per step unless said)", ["", "without", "with", "more"], parts)
    return "\n".join([render(title, head, rows), where])


def _ratios(name: str, bare: Times, ours: Times) -> list[str]:
    turns = [with_us / without for without, with_us in zip(bare.turns, ours.turns, strict=True)]
    cpu = [with_us / without for without, with_us in zip(bare.cpu, ours.cpu, strict=True)]
    return [
        name,
        f"{median(ours.step) / median(bare.step):.3f}",
        f"{median(turns):.3f} ({percentile(turns, 0.25):.3f}-{percentile(turns, 0.75):.3f})",
        f"{median(cpu):.3f} ({percentile(cpu, 0.25):.3f}-{percentile(cpu, 0.75):.3f})",
        f"{sum(ours.turns) / sum(bare.turns):.3f}",
        f"{median(bare.step) * 1e6:.0f}",
        f"{median(ours.step) * 1e6:.0f}",
        str(len(ours.step)),
    ]


def _parts(name: str, bare: Times, ours: Times) -> list[list[str]]:
    pairs = {"next batch": (bare.fetch, ours.fetch), "body": (bare.body, ours.body), "run.log": (bare.log, ours.log)}
    return [
        [f"{name}: {part}", *_difference(median(without) * 1e6, median(with_us) * 1e6)]
        for part, (without, with_us) in pairs.items()
    ]


def _difference(without: float, with_us: float) -> tuple[str, str, str]:
    return f"{without:.0f}", f"{with_us:.0f}", f"{with_us - without:+.0f}"
