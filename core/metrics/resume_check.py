"""Did a resume go on exactly where the run was? Steps that were logged twice, before and after it, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batonpass.core.lineage import Leg, Role
from batonpass.core.metrics.stitch import Series
from batonpass.core.metrics.table import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class ResumeCheck:
    """What comparing one metric of one superseded stretch with the steps that replaced it has shown."""

    metric: str
    session: str
    """The session whose steps were run again."""
    compared: int
    """Steps that both have logged; never 0."""
    different: int
    """Of those, steps whose values are not the same float."""
    first_step: int | None = None
    """The first step that differs; None when all are equal: the resume is verified for this metric."""
    before: float = float("nan")
    """Its value as first logged."""
    after: float = float("nan")
    """Its value as run again."""


def check_resumes(legs: Sequence[Leg], stitched: Mapping[str, Series]) -> list[ResumeCheck]:
    """One result per metric and session with steps that were run again; nothing for branches, which went their own way.

    Values are compared as exact floats (NaN equals NaN). Metrics that measure time differ by nature; other hardware differs a little.
    """
    found = []
    for name, series in stitched.items():
        steps, values = _last_per_step(series.live)
        for place, leg in enumerate(legs):
            if leg.role is not Role.BRANCH:
                mask: Bools = series.superseded & (series.session == place)
                check = _compare(name, leg.session, series.select(mask), steps, values)
                found += [check] if check else []
    return found


def _last_per_step(series: Series) -> tuple[Ints, Floats]:
    """The steps of a series whose steps never decrease, each once, with the last value logged at it."""
    last = np.ones(len(series), np.bool_)
    last[:-1] = series.step[1:] != series.step[:-1]
    return series.step[last], series.value[last]


def _compare(name: str, session: str, ghosts: Series, steps: Ints, values: Floats) -> ResumeCheck | None:
    last = np.ones(len(ghosts), np.bool_)
    last[:-1] = (ghosts.step[1:] != ghosts.step[:-1]) | (ghosts.piece[1:] != ghosts.piece[:-1])
    step, before = ghosts.step[last], ghosts.value[last]
    place = np.minimum(np.searchsorted(steps, step), max(len(steps) - 1, 0))
    both = steps[place] == step if len(steps) else np.zeros(len(step), np.bool_)
    if not both.any():
        return None
    step, before, after = step[both], before[both], values[place[both]]
    differs = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    if not differs.any():
        return ResumeCheck(name, session, len(step), 0)
    first = int(np.flatnonzero(differs)[np.argmin(step[differs])])
    return ResumeCheck(
        name, session, len(step), int(differs.sum()), int(step[first]), float(before[first]), float(after[first])
    )
