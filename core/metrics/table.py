"""Metric rows of one session as NumPy columns: what stitching and charts work on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batonpass.core.metrics.row import Row

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class MetricTable:
    """Rows of one session in long form; every array has one entry per row, in the order of row numbers, each number once."""

    names: tuple[str, ...]
    row: Ints
    step: Ints
    epoch: NDArray[np.float32]
    time: Floats
    """Unix time in seconds, by the notebook's clock."""
    name: NDArray[np.int32]
    """Index into `names`."""
    value: Floats

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def from_columns(
        cls,
        *,
        names: Sequence[str],
        name_indices: Sequence[NDArray[np.int32]],
        row: Ints,
        step: Ints,
        epoch: NDArray[np.float32],
        time: Floats,
        value: Floats,
    ) -> MetricTable:
        """A table of columns in any order; `name_indices` may come in pieces."""
        index = np.concatenate(name_indices) if name_indices else np.zeros(0, np.int32)
        return _in_row_order(cls(tuple(names), row, step, epoch, time, index, value))

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> MetricTable:
        """A table of rows in any order (of a log, or of a decoded tail)."""
        listed = list(rows)
        names = {name: place for place, name in enumerate(dict.fromkeys(r.name for r in listed))}
        return _in_row_order(
            cls(
                tuple(names),
                np.array([r.row for r in listed], np.int64),
                np.array([r.step for r in listed], np.int64),
                _epochs([r.epoch for r in listed]),
                np.array([r.time for r in listed], np.float64),
                np.array([names[r.name] for r in listed], np.int32),
                np.array([r.value for r in listed], np.float64),
            )
        )


def _epochs(values: Sequence[float]) -> NDArray[np.float32]:
    """As the format stores them; one too large for it becomes infinite, and is then drawn nowhere."""
    with np.errstate(over="ignore"):
        return np.array(values, np.float32)


def join_tables(tables: Sequence[MetricTable]) -> MetricTable:
    """One table of a session's segments and tail, which may overlap: each row number once, the first table's row wins."""
    if not tables:
        return MetricTable.from_rows(())
    names = {name: place for place, name in enumerate(dict.fromkeys(n for t in tables for n in t.names))}
    index = [np.array([names[n] for n in t.names], np.int32)[t.name] if len(t) else t.name for t in tables]
    return _in_row_order(
        MetricTable(
            tuple(names),
            np.concatenate([t.row for t in tables]),
            np.concatenate([t.step for t in tables]),
            np.concatenate([t.epoch for t in tables]),
            np.concatenate([t.time for t in tables]),
            np.concatenate(index),
            np.concatenate([t.value for t in tables]),
        )
    )


def _in_row_order(table: MetricTable) -> MetricTable:
    if len(table) < 2 or bool(np.all(table.row[1:] > table.row[:-1])):
        return table
    _, first = np.unique(table.row, return_index=True)
    return MetricTable(
        table.names,
        table.row[first],
        table.step[first],
        table.epoch[first],
        table.time[first],
        table.name[first],
        table.value[first],
    )
