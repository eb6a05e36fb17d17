"""Many sessions' rows as one story: each metric once per step along the lineage, and what was run again kept as ghosts.

A row counts if its session is on the trunk, its number is below the leg's `end_row`, and the session itself did not go back before
it. Nothing is dropped: a row that does not count stays, marked superseded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batonpass.core.lineage import Leg, Role
from batonpass.core.metrics.table import Bools, Floats, Ints, MetricTable


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One metric of a run; every array has one entry per row, trunk sessions first, each in the order it was logged."""

    name: str
    row: Ints
    step: Ints
    epoch: NDArray[np.float32]
    time: Floats
    """Unix time in seconds."""
    value: Floats
    session: NDArray[np.int32]
    """Index into the legs that were stitched."""
    superseded: Bools
    """True where another row took the place of this one, or it stands on a branch: a ghost."""
    piece: NDArray[np.int32]
    """Stretches that training went through without going back: 0 for the rows that count, 1, 2, ... for stretches of ghosts.
    Within a piece steps never decrease; smoothing and envelopes never cross from one piece into another."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def live(self) -> Series:
        """Only the rows that count: steps never decrease."""
        return self.select(~self.superseded)

    @property
    def ghosts(self) -> Series:
        """Only the rows that do not count."""
        return self.select(self.superseded)

    def select(self, mask: Bools) -> Series:
        """The rows where `mask` (bool, one per row) is True."""
        return Series(
            self.name,
            self.row[mask],
            self.step[mask],
            self.epoch[mask],
            self.time[mask],
            self.value[mask],
            self.session[mask],
            self.superseded[mask],
            self.piece[mask],
        )


def stitch(legs: Sequence[Leg], tables: Mapping[str, MetricTable]) -> dict[str, Series]:
    """Every metric of a run, by name. `legs` as `lineage.legs` gives them, `tables` by session id; a session without a table is
    passed over (its file has not arrived).
    """
    parts: dict[str, list[tuple[int, MetricTable, NDArray[np.intp], Bools, Ints]]] = {}
    for place, leg in enumerate(legs):
        table = tables.get(leg.session)
        if table is None or not len(table):
            continue
        ghost, stretch = _leave_out(leg, table.row)
        order = np.argsort(table.name, kind="stable")
        ends = np.searchsorted(table.name[order], np.arange(len(table.names) + 1))
        for index, name in enumerate(table.names):
            rows = order[ends[index] : ends[index + 1]]
            if len(rows):
                parts.setdefault(name, []).append((place, table, rows, ghost[rows], stretch[rows]))
    return {name: _join(name, pieces) for name, pieces in sorted(parts.items())}


def _leave_out(leg: Leg, row: Ints) -> tuple[Bools, Ints]:
    """Which of a session's rows are ghosts by lineage, and the number of its stretch for each row."""
    end = np.iinfo(np.int64).max if leg.end_row is None else leg.end_row
    ghost = row >= end if leg.role is Role.TRUNK else np.ones(len(row), np.bool_)
    for at, kept in leg.rewinds:
        if at <= end:
            ghost |= (row >= kept) & (row < at)
    breaks = np.array(sorted({end, *(number for pair in leg.rewinds for number in pair)}), np.int64)
    return ghost, np.searchsorted(breaks, row, side="right")


def _join(name: str, parts: Sequence[tuple[int, MetricTable, NDArray[np.intp], Bools, Ints]]) -> Series:
    def column(kind: str) -> Any:
        return np.concatenate([getattr(table, kind)[rows] for _, table, rows, _, _ in parts])

    step = column("step")
    session = np.concatenate([np.full(len(rows), place, np.int32) for place, _, rows, _, _ in parts])
    ghost = np.concatenate([part[3] for part in parts])
    ghost[~ghost] = _run_again(step[~ghost])
    piece = _number_pieces(step, session, np.concatenate([part[4] for part in parts]), ghost)
    return Series(name, column("row"), step, column("epoch"), column("time"), column("value"), session, ghost, piece)


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


def _number_pieces(step: Ints, session: NDArray[np.int32], stretch: Ints, ghost: Bools) -> NDArray[np.int32]:
    new = np.ones(len(step), np.bool_)
    new[1:] = (session[1:] != session[:-1]) | (stretch[1:] != stretch[:-1]) | (step[1:] < step[:-1]) | ~ghost[:-1]
    return np.where(ghost, np.cumsum(new & ghost), 0).astype(np.int32)
