"""How fast a run went on each card: steps per second inside the loop, and the ratio between two cards with its spread.

Only sessions of one run are compared: two runs are two different works.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from batonpass.core.model import Session

ENOUGH_S = 2.0
ENOUGH_STEPS = 20
"""A session that did less says little about speed."""
_LARGEST = 1e9
"""Steps per second beyond this are a damaged number."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What sessions on one kind of card did, in steps per second, slowest first; never empty."""

    gpu: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle session."""
        return median(self.values)

    @property
    def n(self) -> int:
        """Sessions measured."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster: of the medians, and between the most different sessions of the two cards."""

    value: float
    low: float
    high: float


def session_speed(session: Session) -> float | None:
    """Steps per second inside the loop; None where too little was measured, or the numbers cannot be."""
    if not (session.trained_s >= ENOUGH_S and session.steps_done >= ENOUGH_STEPS):
        return None
    if not math.isfinite(session.trained_s) or session.steps_done > _LARGEST * session.trained_s:
        return None
    speed = session.steps_done / session.trained_s
    return speed if speed > 1 / _LARGEST else None


def speeds(measured: Iterable[tuple[str, float | None]]) -> tuple[Speed, ...]:
    """One entry per card, slowest median first, of (card, steps per second); what was not measured is left out."""
    found: dict[str, list[float]] = {}
    for gpu, value in measured:
        if value is not None:
            found.setdefault(gpu, []).append(value)
    every = (Speed(gpu, tuple(sorted(values))) for gpu, values in found.items())
    return tuple(sorted(every, key=lambda speed: (speed.median, speed.gpu)))


def ratio(fast: Speed, slow: Speed) -> Ratio:
    """`fast` against `slow`."""
    return Ratio(fast.median / slow.median, fast.values[0] / slow.values[-1], fast.values[-1] / slow.values[0])
