"""The steps that a resume runs again, compared value for value with what was logged of them before. Pure, and without NumPy: the
training's own machine does it. For whole histories see `resume_check`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batonpass.core.metrics.row import Row

STEPS_COMPARED = 20
"""Logged steps after the checkpoint that are looked at: an inexact resume shows in the first ones."""

_MEASURES = re.compile(
    r"(^|[_/. -])(time|timing|secs?|seconds|its?|speed|throughput|fps|eta|elapsed|mem|memory|ram|gpu|cpu|util\w*|watts?)($|[_/. -])"
    r"|per_s|[_/. -]m?s$",
    re.IGNORECASE,
)
"""Names of metrics that measure the machine: they differ by nature."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What the comparison has shown. `before` and `value` are of `metric` in the step `differs_at`, or in `first_step` where all is equal."""

    steps: int
    first_step: int
    last_step: int
    metric: str
    before: float
    value: float
    differs_at: int | None = None


def compare_again(before: Iterable[Row], after: Iterable[Row]) -> Replay | None:
    """`before`: rows that the resume superseded, `after`: rows that replace them, each in the order of logging. None when no value of
    a step was logged in both. NaN equals NaN; metrics that measure the machine are passed over.

    A step may have been left in its middle on either side, so what is compared are the values that both have logged of it.
    """
    then, now = _by_place(before), _by_place(after)
    places = [place for place in then if place in now]
    if not places:
        return None
    steps = sorted({step for step, _ in places})
    for step, name in places:
        for a, b in zip(then[step, name], now[step, name], strict=False):
            if not (a == b or (math.isnan(a) and math.isnan(b))):
                return Replay(len(steps), steps[0], steps[-1], name, a, b, step)
    quoted = _quoted([name for step, name in places if step == steps[0]])
    value = now[steps[0], quoted][0]
    return Replay(len(steps), steps[0], steps[-1], quoted, value, value)


def first_steps(rows: Iterable[Row]) -> list[Row]:
    """The rows up to the `STEPS_COMPARED`th step that is named in them."""
    steps: set[int] = set()
    found = []
    for row in rows:
        steps.add(row.step)
        if len(steps) > STEPS_COMPARED:
            break
        found.append(row)
    return found


def _by_place(rows: Iterable[Row]) -> dict[tuple[int, str], list[float]]:
    found: dict[tuple[int, str], list[float]] = {}
    for row in rows:
        if not _MEASURES.search(row.name):
            found.setdefault((row.step, row.name), []).append(row.value)
    return found


def _quoted(names: Sequence[str]) -> str:
    """The loss where there is one."""
    return next((name for name in names if "loss" in name.lower()), names[0])
