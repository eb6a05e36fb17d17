"""Metric rows of one session as NumPy columns, metric by metric: what stitching and charts work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batonpass.core.metrics.row import Row

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LONG_ROWS = 200_000
"""So many rows of one metric in one session are long."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One metric of one session; every array has one entry per row, in the order of row numbers, each number once."""

    row: Ints
    step: Ints
    epoch: NDArray[np.float32]
    time: Floats
    """Unix time in seconds, by the notebook's clock."""
    value: Floats

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: NDArray[np.intp] | slice) -> Columns:
        """Some of the rows, as copies."""
        return Columns(*(column[rows].copy() for column in self.arrays))

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The five of them, in the order of the fields."""
        return self.row, self.step, self.epoch, self.time, self.value


@dataclass(frozen=True, slots=True, eq=False)
class MetricTable:
    """Rows of one session by the name of their metric. A long history stays in the parts that it came in until it is stitched: joining
    it here would copy all of it once more.
    """

    parts: Mapping[str, tuple[Columns, ...]]
    """Name of a metric -> its rows: one part or more, none of them empty, row numbers rising from each to the next."""

    def __len__(self) -> int:
        return sum(len(columns) for parts in self.parts.values() for columns in parts)

    @property
    def columns(self) -> dict[str, Columns]:
        """Name of a metric -> its rows in one piece."""
        return {name: parts[0] if len(parts) == 1 else _concatenated(parts) for name, parts in self.parts.items()}

    @property
    def size_bytes(self) -> int:
        """What the arrays take in memory."""
        return sum(array.nbytes for parts in self.parts.values() for columns in parts for array in columns.arrays)

    @classmethod
    def from_long(cls, names: Sequence[str], name: NDArray[np.int32], columns: Columns) -> MetricTable:
        """A table of rows in any order, of which `name` says by its index in `names` what each is of."""
        if len(name) and bool(np.any(name[1:] < name[:-1])):
            order = np.argsort(name, kind="stable")
            name, columns = name[order], columns.take(order)
        ends = np.searchsorted(name, np.arange(len(names) + 1))
        return cls(
            {
                each: (_in_row_order(columns.take(slice(ends[place], ends[place + 1]))),)
                for place, each in enumerate(names)
                if ends[place] < ends[place + 1]
            }
        )

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> MetricTable:
        """A table of rows in any order (of a log, or of a decoded tail)."""
        listed = list(rows)
        names = {name: place for place, name in enumerate(dict.fromkeys(r.name for r in listed))}
        columns = Columns(
            np.array([r.row for r in listed], np.int64),
            np.array([r.step for r in listed], np.int64),
            _epochs([r.epoch for r in listed]),
            np.array([r.time for r in listed], np.float64),
            np.array([r.value for r in listed], np.float64),
        )
        return cls.from_long(tuple(names), np.array([names[r.name] for r in listed], np.int32), columns)


def join_tables(tables: Sequence[MetricTable]) -> MetricTable:
    """One table of a session's segments and tail, which may overlap: each row number of a metric once, the first table's row wins."""
    found: dict[str, list[Columns]] = {}
    for table in tables:
        for name, parts in table.parts.items():
            found.setdefault(name, []).extend(parts)
    return MetricTable({name: _each_once(parts) for name, parts in found.items()})


def _each_once(parts: Sequence[Columns]) -> tuple[Columns, ...]:
    """As they are where one goes on after the other, which is how a session writes them; else in one piece, without what is there twice.
    Of a long session in one piece too: thousands of small arrays, let go of metric by metric, leave holes that no large one fits into.
    """
    in_order = all(before.row[-1] < after.row[0] for before, after in pairwise(parts))
    if in_order and sum(map(len, parts)) <= LONG_ROWS:
        return tuple(parts)
    return (_in_row_order(_concatenated(parts)),)


def _concatenated(parts: Sequence[Columns]) -> Columns:
    return Columns(*(np.concatenate(column) for column in zip(*(p.arrays for p in parts), strict=True)))


def _epochs(values: Sequence[float]) -> NDArray[np.float32]:
    """As the format stores them; one too large for it becomes infinite, and is then drawn nowhere."""
    with np.errstate(over="ignore"):
        return np.array(values, np.float32)


def _in_row_order(columns: Columns) -> Columns:
    if len(columns) < 2 or bool(np.all(columns.row[1:] > columns.row[:-1])):
        return columns
    _, first = np.unique(columns.row, return_index=True)
    return columns.take(first)
