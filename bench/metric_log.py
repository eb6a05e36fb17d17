"""How long `run.log` keeps the training waiting when it is called a thousand times a second, in quiet and while a save is being written.

The rival is what people write themselves: one JSON line per call, flushed to the system so that a kill loses nothing.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import torch
from big_training import BigTraining
from tables import percentile, render

HZ = 1000
PIECE = 100
"""Calls between two looks at whether the save is still being written."""
RIVAL = "JSON line + flush, one float"
BIG, SMALL = (1024, 20), (256, 4)

Times = dict[tuple[str, bool], list[int]]
"""(what is called, while a save is in flight) -> nanoseconds of each call."""


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Take turns among the calls, piece by piece; returns the table."""
    width, layers = SMALL if smoke else BIG
    pieces = 2 if smoke else 60
    training = BigTraining(folder / "store", width=width, layers=layers, seed=seed)
    rng = random.Random(seed)
    times: Times = {}
    with (folder / "rival.jsonl").open("w") as file:
        calls = _calls(training, file.write, file.flush)
        for name, call in calls.items():
            _paced(call, 20)  # warm
            times[name, False] = []
            times[name, True] = []
        for _ in range(pieces):
            for name in rng.sample(list(calls), len(calls)):
                times[name, False] += _paced(calls[name], PIECE)
        for _ in range(pieces):
            for name in rng.sample(list(calls), len(calls)):
                times[name, True] += _while_saving(training, calls[name])
    dropped = training.run.joined.log.dropped
    problems = training.close()
    notes = [*(f"PROBLEM: {p}" for p in problems), *([f"PROBLEM: {dropped} values were dropped"] if dropped else [])]
    return "\n".join([_table(times, pieces * PIECE, seed), *notes])


def _calls(
    training: BigTraining, write: Callable[[str], object], flush: Callable[[], None]
) -> dict[str, Callable[[], None]]:
    run, tensor = training.run, torch.tensor(0.25)

    def rival() -> None:
        write(json.dumps({"step": run.step, "time": time.time(), "loss": 0.25}) + "\n")
        flush()

    return {
        "run.log, one float": lambda: run.log(loss=0.25),
        "run.log, three floats": lambda: run.log(loss=0.25, accuracy=0.5, lr=1e-3),
        "run.log, a 0-d tensor": lambda: run.log(loss=tensor),
        RIVAL: rival,
    }


def _paced(call: Callable[[], None], count: int) -> list[int]:
    """`count` calls, each at its own moment of a 1 kHz clock; nanoseconds of each."""
    period = 1_000_000_000 // HZ
    due = time.perf_counter_ns()
    times = []
    for _ in range(count):
        due = max(due + period, time.perf_counter_ns())
        while (left := due - time.perf_counter_ns()) > 0:
            time.sleep(left / 1e9)
        started = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - started)
    return times


def _while_saving(training: BigTraining, call: Callable[[], None]) -> list[int]:
    """A piece during which a save was in flight from beginning to end: a piece that outlived its save is repeated with fewer calls."""
    count = PIECE
    while count:
        if training.stored:
            training.step()
            training.save()
        times = _paced(call, count)
        if not training.stored:
            return times
        count //= 2
    return []


def _table(times: Times, calls: int, seed: int) -> str:
    head = ["µs per call", "p50", "ratio", "p99", "max", "p50, saving", "p99, saving", "max, saving", "calls, saving"]
    base = percentile(times[RIVAL, False], 0.5)
    rows = []
    for name in dict.fromkeys(name for name, _ in times):
        alone, saving = ([t / 1e3 for t in times[name, busy]] for busy in (False, True))
        rows.append([name, *_three(alone, base / 1e3), *_three(saving, None), str(len(saving))])
    return render(f"`run.log` at {HZ:,} calls a second, {calls:,} calls each, seed {seed}", head, rows)


def _three(micros: list[float], base: float | None) -> list[str]:
    if not micros:
        return ["-"] * 3
    middle = percentile(micros, 0.5)
    ratio = [] if base is None else [f"{middle / base:.2f}"]
    return [f"{middle:.0f}", *ratio, f"{percentile(micros, 0.99):.0f}", f"{max(micros):.0f}"]
