"""Rivals in turns: every round each of them once, in an order drawn anew, each on a fresh account."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from drive.clients import Client, make
from drive.ground import Ground, Size


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt of one rival: its seconds, the emulator's numbers, and what else a measure notes."""

    took_s: float
    log: dict[str, Any]
    notes: dict[str, float] = field(default_factory=dict)


def in_turns(
    ground: Ground, size: Size, names: Sequence[str], attempt: Callable[[Client], Result], *, repeats: int | None = None
) -> dict[str, list[Result]]:
    """`attempt` for each name, `repeats` times."""
    draw = random.Random(size.seed)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(repeats or size.repeats):
        for name in draw.sample(list(names), len(names)):
            print(f"  round {number + 1} of {repeats or size.repeats}: {name}", file=sys.stderr, flush=True)
            with client(ground, name) as one:
                results[name].append(attempt(one))
    return results


@contextmanager
def client(ground: Ground, name: str) -> Iterator[Client]:
    """A client with a folder and an account of its own; both are gone afterwards."""
    place = ground.folder / "client"
    one = make(name, ground, place)
    try:
        yield one
    finally:
        one.close()
        ground.end()
        ground.clean(one.account)
        shutil.rmtree(place)


def middle(results: Sequence[Result], number: Callable[[Result], float]) -> float:
    """The median over the rounds."""
    return median(number(result) for result in results)
