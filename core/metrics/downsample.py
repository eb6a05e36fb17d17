"""Few buckets instead of many points, with the exact extremes of each at every zoom."""

from __future__ import annotations

from dataclasses import dataclass

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
    shown = np.ones(len(series), np.bool_)
    if first_step is not None:
        shown &= series.step >= first_step
    if last_step is not None:
        shown &= series.step <= last_step
    chosen = np.flatnonzero(shown)
    chosen = chosen[np.argsort(series.piece[chosen], kind="stable")]
    step, value, piece = series.step[chosen], series.value[chosen], series.piece[chosen]
    if not len(step):
        return Envelope(piece, step, step, value, value, value, value, step, step)
    low = float(step.min()) if first_step is None else float(first_step)
    high = float(step.max()) if last_step is None else float(last_step)
    width = max((high - low + 1.0) / buckets, 1.0)
    bucket = np.minimum((step.astype(np.float64) - low) // width, buckets - 1)
    starts = np.flatnonzero(np.r_[True, (piece[1:] != piece[:-1]) | (bucket[1:] != bucket[:-1])])
    ends = np.r_[starts[1:], len(step)] - 1
    nans = np.add.reduceat(np.isnan(value).astype(np.int64), starts)
    return Envelope(
        piece[starts],
        step[starts],
        step[ends],
        value[starts],
        value[ends],
        np.fmin.reduceat(value, starts),
        np.fmax.reduceat(value, starts),
        ends - starts + 1,
        nans,
    )
