"""Few buckets instead of many points, with the exact extremes of each at every zoom."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from batonpass.core.metrics.stitch import Series
from batonpass.core.metrics.table import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """One entry per bucket that holds a point, ordered by piece, then step."""

    piece: NDArray[np.int32]
    first_step: Ints
    last_step: Ints
    """Steps of the first and the last point in the bucket."""
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    """Exact minimum and maximum, NaN left aside; NaN only where all of the bucket is."""
    count: Ints
    nan_count: Ints
    """Points in the bucket, and those of them that are NaN: to be shown, never smoothed away."""

    def __len__(self) -> int:
        return len(self.piece)


def envelope(series: Series, *, buckets: int, first_step: int | None = None, last_step: int | None = None) -> Envelope:
    """The points from `first_step` to `last_step` (both included; default: all), in at most `buckets` buckets of equal width in
    steps for each piece. A bucket never holds points of two pieces. ValueError if `buckets` is below 1.
    """
    if buckets < 1:
        raise ValueError(f"at least one bucket, not {buckets}")
    step = series.step
    pieces = [_within(step, piece, first_step, last_step) for piece in piece_slices(series.piece)]
    pieces = [piece for piece in pieces if piece.start < piece.stop]
    if not pieces:
        return _cut(series, np.zeros(0, np.intp), np.zeros(0, np.intp))
    low = float(min(step[p.start] for p in pieces)) if first_step is None else float(first_step)
    high = float(max(step[p.stop - 1] for p in pieces)) if last_step is None else float(last_step)
    width = max((high - low + 1.0) / buckets, 1.0)
    edges = low + width * np.arange(1, buckets)
    starts, ends = [], []
    for piece in pieces:
        found = piece.start + np.searchsorted(step[piece], edges)
        begun = np.unique(np.r_[piece.start, found[found < piece.stop]])
        starts.append(begun)
        ends.append(np.r_[begun[1:], piece.stop])
    return _cut(series, np.concatenate(starts), np.concatenate(ends))


def piece_slices(piece: NDArray[np.int32]) -> list[slice]:
    """Where each piece of a series lies: they stand one after another."""
    edges = np.r_[0, np.flatnonzero(piece[1:] != piece[:-1]) + 1, len(piece)] if len(piece) else np.zeros(1, np.intp)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _within(step: Ints, piece: slice, first_step: int | None, last_step: int | None) -> slice:
    """The part of a piece, in which steps never decrease, that lies within these steps."""
    own = step[piece]
    begin = 0 if first_step is None else int(np.searchsorted(own, first_step, side="left"))
    end = len(own) if last_step is None else int(np.searchsorted(own, last_step, side="right"))
    return slice(piece.start + begin, piece.start + end)


def _cut(series: Series, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Envelope:
    """A bucket from each start to its end; all of them together leave out no row between the first and the last of a piece."""
    last = ends - 1
    low, high, nans = _extremes(series.value, starts, ends)
    return Envelope(
        series.piece[starts],
        series.step[starts],
        series.step[last],
        series.value[starts],
        series.value[last],
        low,
        high,
        ends - starts,
        nans,
    )


def _extremes(value: Floats, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> tuple[Floats, Floats, Ints]:
    """Minimum and maximum of each bucket, NaN left aside, and how many of it are NaN."""
    if not len(starts):
        return np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
    begin, stop = int(starts[0]), int(ends[-1])
    own = value[begin:stop]
    cuts = (
        np.ravel(np.column_stack([starts, ends]))[:-1] - begin
    )  # every other one of them lies between two pieces, or is empty
    low, high = np.fmin.reduceat(own, cuts)[::2], np.fmax.reduceat(own, cuts)[::2]
    nan = np.isnan(own)
    if not nan.any():
        return low, high, np.zeros(len(starts), np.int64)
    return low, high, np.add.reduceat(nan.astype(np.int64), cuts)[::2]
