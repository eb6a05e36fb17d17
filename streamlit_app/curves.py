"""A run's metrics as the charts want them: read through the repository, stitched by lineage, thinned without losing a spike. No Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from batonpass.core.errors import BatonpassError, NotFoundError, StoreError
from batonpass.core.lineage import Leg, Role, legs
from batonpass.core.metrics.downsample import envelope
from batonpass.core.metrics.smoothing import smooth_at
from batonpass.core.metrics.stitch import Series, by_metric, join_metrics
from batonpass.core.metrics.table import MetricTable, join_tables
from batonpass.core.metrics.tail import read_tail
from batonpass.core.model import Segment, Session
from batonpass.streamlit_app.overview import RunStory

BUCKETS = 600
"""Twice as many points are drawn at most for one line: the lowest and the highest of each bucket."""
Array = NDArray[np.float64]


class Axis(StrEnum):
    """What a curve is drawn over."""

    STEP = "step"
    EPOCH = "epoch"
    HOURS = "hours of training"
    CLOCK = "clock time"


@dataclass(frozen=True, slots=True, eq=False)
class RunCurves:
    """Every metric of a run. `broken` names the pieces that could not be read, one sentence each."""

    legs: tuple[Leg, ...]
    series: dict[str, Series]
    hours_at: dict[int, tuple[float, float]]
    """Leg number -> (Unix time of its first row, hours of training that lay before it)."""
    broken: tuple[str, ...] = ()
    is_whole: bool = True
    """False where the store did not give a piece that it may give later."""

    @property
    def size_bytes(self) -> int:
        """What the arrays take in memory."""
        return sum(series.size_bytes for series in self.series.values())

    def x(self, series: Series, axis: Axis) -> Array:
        """The x value of every row: steps, epochs, hours or Unix seconds."""
        if axis is Axis.STEP:
            return series.step.astype(np.float64)
        if axis is Axis.EPOCH:
            return series.epoch.astype(np.float64)
        if axis is Axis.CLOCK:
            return series.time
        size = max(self.hours_at, default=-1) + 1
        start, offset = np.zeros(size), np.zeros(size)
        for place, (first, before) in self.hours_at.items():
            start[place], offset[place] = first, before
        hours: Array = offset[series.session] + (series.time - start[series.session]) / 3600
        return hours


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Points ready to be drawn; NaN in `y` breaks the line."""

    x: Array
    y: Array


def read_curves(run: RunStory, read: Callable[[Segment], MetricTable]) -> RunCurves:
    """All sessions of a run, stitched. `read` gives the rows of a sealed segment; one that cannot be read leaves a gap and a sentence."""
    sessions = [s.session for s in run.files.sessions]
    broken: list[str] = []
    refused: list[StoreError] = []
    tables = {s.id: _read_table(s, read, broken, refused) for s in sessions}
    the_legs = tuple(legs(run.files.head, sessions))
    hours = _hours(the_legs, tables)
    parts = by_metric(the_legs, tables)
    tables.clear()  # each metric's columns are let go of as soon as they are joined
    return RunCurves(the_legs, join_metrics(parts), hours, tuple(broken), is_whole=not refused)


def draw(
    series: Series, x: Array, *, weight: float = 0.0, buckets: int = BUCKETS, span: tuple[float, float] | None = None
) -> Line:
    """A series as points: smoothed by `weight`, thinned to two points a bucket, each piece a line of its own.

    `x` has one entry per row. `span`: only what lies from its first to its second x value, bucketed anew from all rows there, with
    the neighbour at either end, so that the lines reach the edges.
    """
    rows, outside = (None, np.zeros(0, np.intp)) if span is None else _around(series, x, span)
    if (len(series) if rows is None else len(rows)) <= 2 * buckets:
        return _line(series, x, np.union1d(np.arange(len(series)) if rows is None else rows, outside), weight)
    thinned = envelope(_finite(series if rows is None else series.select(rows)), buckets=buckets)
    last = np.cumsum(thinned.count) - 1
    if weight > 0:
        return _line(series, x, np.union1d(last if rows is None else rows[last], outside), weight)
    first = last - thinned.count + 1
    falling = thinned.last < thinned.first
    ends = np.column_stack([first, last]).ravel()
    at = np.r_[ends if rows is None else rows[ends], outside]
    y = np.r_[
        np.where(falling, (thinned.high, thinned.low), (thinned.low, thinned.high)).T.ravel(), series.value[outside]
    ]
    order = np.argsort(at, kind="stable")
    at, y = at[order], y[order]
    return _broken_between(series.piece[at], x[at], y)


def _line(series: Series, x: Array, rows: NDArray[np.intp], weight: float) -> Line:
    """These rows, each as one point."""
    return _broken_between(series.piece[rows], x[rows], smooth_at(series, weight, rows))


def _around(series: Series, x: Array, span: tuple[float, float]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows within a span of x, and the neighbours outside it that lines need to reach its edges. The neighbours stand in no
    bucket: there they would hide what lies within.
    """
    low, high = span
    if not low <= high:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    inside = (x >= low) & (x <= high)
    same = series.piece[1:] == series.piece[:-1]
    across = (x[:-1] < low) & (x[1:] > high) & same  # a line that passes through without a point
    outside = np.zeros(len(x), np.bool_)
    outside[:-1] |= (inside[1:] & same) | across
    outside[1:] |= (inside[:-1] & same) | across
    return np.flatnonzero(inside), np.flatnonzero(outside & ~inside)


def _finite(series: Series) -> Series:
    """Infinities as NaN: an infinity that is a bucket's extreme would hide the finite one, and no axis has a place for it."""
    wrong = np.isinf(series.value)
    return replace(series, value=np.where(wrong, np.nan, series.value)) if wrong.any() else series


def robust_range(values: Array) -> tuple[float, float]:
    """The 5th and the 95th percentile of the finite values; (nan, nan) without any."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return (float("nan"), float("nan"))
    low, high = (float(v) for v in np.percentile(finite, (5, 95)))
    return low, high


def best_point(series: Series, *, largest: bool) -> tuple[int, float] | None:
    """Row and value of the best finite value; None without any."""
    value = np.where(np.isfinite(series.value), series.value, -np.inf if largest else np.inf)
    at = int(value.argmax() if largest else value.argmin()) if len(value) else 0
    return (at, float(value[at])) if len(value) and np.isfinite(value[at]) else None


def count_not_finite(series: Series) -> int:
    """How many of the values that count are NaN or infinite: drawn as gaps, so said in words."""
    return int(np.count_nonzero(~np.isfinite(series.live.value)))


def _broken_between(piece: NDArray[np.int32], x: Array, y: Array) -> Line:
    """Infinities become gaps too: no axis has a place for them."""
    cuts = np.flatnonzero(np.diff(piece)) + 1
    return Line(np.insert(x, cuts, x[cuts]), np.insert(np.where(np.isfinite(y), y, np.nan), cuts, np.nan))


def _read_table(
    session: Session, read: Callable[[Segment], MetricTable], broken: list[str], refused: list[StoreError]
) -> MetricTable:
    tables = []
    for segment in session.segments:
        try:
            tables.append(read(segment))
        except BatonpassError as error:
            broken.append(f"metrics of session {session.id}: {error.message}")
            if isinstance(error, StoreError) and not isinstance(error, NotFoundError):
                refused.append(error)
    try:
        tables.append(read_tail(session.tail))
    except BatonpassError as error:
        broken.append(f"newest metrics of session {session.id}: {error.message}")
    return join_tables(tables)


def _hours(the_legs: tuple[Leg, ...], tables: Mapping[str, MetricTable]) -> dict[int, tuple[float, float]]:
    """A leg begins where its parent stood at the row it continued from. Parents stand before their children on the trunk."""
    places = {leg.session: place for place, leg in enumerate(the_legs)}
    found: dict[int, tuple[float, float]] = {}
    for place, leg in sorted(enumerate(the_legs), key=lambda pair: pair[1].role is not Role.TRUNK):
        begun = time_at(tables[leg.session], None) if leg.session in tables else None
        if begun is None:
            continue
        before = 0.0
        parent = places.get(leg.began_from) if leg.began_from is not None else None
        if parent is not None and parent in found:
            left = time_at(tables[the_legs[parent].session], leg.began_row)
            if left is not None:
                start, offset = found[parent]
                before = offset + (left - start) / 3600
        found[place] = (begun, before)
    return found


def time_at(table: MetricTable, before_row: int | None) -> float | None:
    """Unix time of the last row of a session before a row number (None: of its first row); None where there is none."""
    found = []
    for parts in table.parts.values():
        before = [columns for columns in parts if before_row is None or columns.row[0] < before_row]
        if before:
            columns = before[0] if before_row is None else before[-1]
            at = 0 if before_row is None else int(np.searchsorted(columns.row, before_row)) - 1
            found.append((int(columns.row[at]), float(columns.time[at])))
    if not found:
        return None
    return (min(found) if before_row is None else max(found))[1]
