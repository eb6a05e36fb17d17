"""Many sessions' rows as one story: each metric once per step along the lineage, and what was run again kept as ghosts.

A row counts if its session is on the trunk, its number is below the leg's `end_row`, and the session itself did not go back before
it. Nothing is dropped: a row that does not count stays, marked superseded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batonpass.core.lineage import Leg, Role
from batonpass.core.metrics.table import Bools, Columns, Floats, Ints, MetricTable

Part = tuple[int, Leg, Columns]
"""Number of a leg, the leg, and rows of a metric that it holds: a leg has one such part or more."""
Runs = Sequence["slice | NDArray[np.intp]"]
"""Rows to take, one after the other."""
MOST_SLICES = 2000
"""From so many on, indices copy faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One metric of a run; every array has one entry per row. First the rows that count, by step, then the ghosts, stretch by stretch."""

    name: str
    row: Ints
    step: Ints
    epoch: NDArray[np.float32]
    time: Floats
    """Unix time in seconds."""
    value: Floats
    session: NDArray[np.int32]
    """Index into the legs that were stitched."""
    piece: NDArray[np.int32]
    """Stretches that training went through without going back: 0 for the rows that count, 1, 2, ... for stretches of ghosts.
    Within a piece steps never decrease; smoothing and envelopes never cross from one piece into another."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def superseded(self) -> Bools:
        """True where another row took the place of this one, or it stands on a branch: a ghost."""
        return self.piece > 0

    @property
    def live(self) -> Series:
        """Only the rows that count: steps never decrease. A view, not a copy."""
        return self.select(slice(0, self.live_count))

    @property
    def ghosts(self) -> Series:
        """Only the rows that do not count. A view, not a copy."""
        return self.select(slice(self.live_count, None))

    @property
    def size_bytes(self) -> int:
        """What the arrays take in memory."""
        numbers = (self.row, self.step, self.epoch, self.time, self.value, self.session, self.piece)
        return sum(array.nbytes for array in numbers)

    @property
    def live_count(self) -> int:
        """How many rows count."""
        return int(np.searchsorted(self.piece, 1))

    def select(self, mask: Bools | slice | NDArray[np.intp]) -> Series:
        """Some of the rows, in their order: those where `mask` (bool, one per row) is True, a slice, or rising indices."""
        return Series(
            self.name,
            self.row[mask],
            self.step[mask],
            self.epoch[mask],
            self.time[mask],
            self.value[mask],
            self.session[mask],
            self.piece[mask],
        )


def stitch(legs: Sequence[Leg], tables: Mapping[str, MetricTable]) -> dict[str, Series]:
    """Every metric of a run, by name. `legs` as `lineage.legs` gives them, `tables` by session id; a session without a table is
    passed over (its file has not arrived).
    """
    return join_metrics(by_metric(legs, tables))


def by_metric(legs: Sequence[Leg], tables: Mapping[str, MetricTable]) -> dict[str, list[Part]]:
    """What each session holds of each metric, in the order of the legs: the first half of `stitch`."""
    parts: dict[str, list[Part]] = {}
    for place, leg in enumerate(legs):
        table = tables.get(leg.session)
        for name, found in table.parts.items() if table is not None else ():
            parts.setdefault(name, []).extend((place, leg, columns) for columns in found)
    return parts


def join_metrics(parts: dict[str, list[Part]]) -> dict[str, Series]:
    """The second half of `stitch`. Empties `parts` as it goes, so that a long run is not held twice when nobody else holds its tables."""
    return {name: _join(name, parts.pop(name)) for name in sorted(parts)}


def _leave_out(leg: Leg, row: Ints) -> tuple[Bools, NDArray[np.int32]]:
    """Which of a session's rows are ghosts by lineage, and the number of its stretch for each row."""
    end = np.iinfo(np.int64).max if leg.end_row is None else leg.end_row
    ghost = row >= end if leg.role is Role.TRUNK else np.ones(len(row), np.bool_)
    if leg.end_row is None and not leg.rewinds:
        return ghost, np.zeros(len(row), np.int32)
    for at, kept in leg.rewinds:
        if at <= end:
            ghost |= (row >= kept) & (row < at)
    breaks = np.array(sorted({end, *(number for pair in leg.rewinds for number in pair)}), np.int64)
    return ghost, np.searchsorted(breaks, row, side="right").astype(np.int32)


def _join(name: str, parts: list[Part]) -> Series:
    """Empties `parts`, and lets go of each column's pieces once they are joined: ten million rows are not held twice."""
    lengths = [len(columns) for _, _, columns in parts]
    session = np.repeat(np.array([place for place, _, _ in parts], np.int32), lengths)
    runs, piece = _order(parts, session)
    columns = [list(pieces) for pieces in zip(*(columns.arrays for _, _, columns in parts), strict=True)]
    parts.clear()
    places = _places(runs, lengths)
    joined = []
    while columns:
        pieces = columns.pop(0)
        if places is None:
            joined.append(_in_order(np.concatenate(pieces), runs))
        else:
            joined.append(np.concatenate([pieces[number][rows] for number, rows in places]))
    return Series(name, *joined, *(_in_order(whole, runs) for whole in (session, piece)))


def _order(parts: Sequence[Part], session: NDArray[np.int32]) -> tuple[Runs, NDArray[np.int32]]:
    """In which order the rows of all parts stand in a series, and the piece of each."""
    step = np.concatenate([columns.step for _, _, columns in parts])
    left_out = [_leave_out(leg, columns.row) for _, leg, columns in parts]
    ghost = np.concatenate([mask for mask, _ in left_out])
    live = step[~ghost]
    if bool(np.any(live[1:] < live[:-1])):
        ghost[~ghost] = _run_again(live)
    del live
    piece = _number_pieces(step, session, np.concatenate([stretch for _, stretch in left_out]), ghost)
    return _runs(ghost), piece


def _in_order(whole: NDArray[Any], runs: Runs) -> NDArray[Any]:
    return whole if len(runs) == 1 else np.concatenate([whole[run] for run in runs])


def _places(runs: Runs, lengths: Sequence[int]) -> list[tuple[int, slice]] | None:
    """Where the rows of each run lie in parts of these lengths: number of the part, rows in it. None where the runs are indices."""
    ends = np.cumsum(lengths)
    found = []
    for run in runs:
        if not isinstance(run, slice):
            return None
        number = int(np.searchsorted(ends, run.start, side="right"))
        at = run.start
        while at < run.stop:
            begin, end = int(ends[number]) - lengths[number], min(int(ends[number]), run.stop)
            found.append((number, slice(at - begin, end - begin)))
            at, number = end, number + 1
    return found


def _runs(ghost: Bools) -> Runs:
    """What to take, piece after piece, so that the rows that count come first, and both in their order. Few slices copy faster than
    indices, and kills leave few.
    """
    edges = np.r_[0, np.flatnonzero(ghost[1:] != ghost[:-1]) + 1, len(ghost)]
    if len(edges) > MOST_SLICES:
        return [np.flatnonzero(~ghost), np.flatnonzero(ghost)]
    runs = [slice(int(a), int(b)) for a, b in pairwise(edges)]
    return [r for r in runs if not ghost[r.start]] + [r for r in runs if ghost[r.start]]


def _run_again(step: Ints) -> Bools:
    """Rows whose step, or an earlier one, was logged again later: what a session did that left no record of going back.

    What remains never decreases. Several rows of one step in a row (one per accumulated batch) are no going back.
    """
    again = np.zeros(len(step), np.bool_)
    back = np.flatnonzero(step[1:] < step[:-1]) + 1
    if len(back):
        lowest = np.full(len(step) + 1, np.iinfo(np.int64).max)
        lowest[back] = step[back]
        again = step >= np.minimum.accumulate(lowest[::-1])[::-1][1:]
    return again


def _number_pieces(
    step: Ints, session: NDArray[np.int32], stretch: NDArray[np.int32], ghost: Bools
) -> NDArray[np.int32]:
    new = np.ones(len(step), np.bool_)
    new[1:] = (session[1:] != session[:-1]) | (stretch[1:] != stretch[:-1]) | (step[1:] < step[:-1]) | ~ghost[:-1]
    return np.where(ghost, np.cumsum(new & ghost, dtype=np.int32), np.int32(0))
