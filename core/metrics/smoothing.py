"""The de-biased exponential moving average that curves are smoothed with, never across a rewind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from batonpass.core.metrics.downsample import piece_slices
from batonpass.core.metrics.stitch import Series
from batonpass.core.metrics.table import Floats

NOTHING = 1e-18
"""A weight that no longer changes the sum of floats of about one size."""


def smooth(series: Series, weight: float) -> Floats:
    """One smoothed value per row: sum(weight^i * x[k-i]) / sum(weight^i) over the rows of the same piece up to k.

    That is TensorBoard's smoothing, the first value unbiased. Values that are not finite stay as they are and do not spread. Over
    the rows that count it equals what the uninterrupted run would show. `weight` is from 0 (none) to below 1; ValueError otherwise.
    """
    if not 0.0 <= weight < 1.0:
        raise ValueError(f"a weight is from 0 to below 1, not {weight}")
    smoothed = series.value.copy()
    for piece in piece_slices(series.piece):
        smoothed[piece] = _average(series.value[piece], weight)
    return smoothed


def smooth_at(series: Series, weight: float, rows: NDArray[np.intp]) -> Floats:
    """`smooth(series, weight)[rows]`, at the cost of these rows: what lies so far back that it weighs less than a float shows is not read."""
    if not 0.0 <= weight < 1.0:
        raise ValueError(f"a weight is from 0 to below 1, not {weight}")
    reach = 1 if weight == 0.0 else int(np.ceil(np.log(NOTHING) / np.log(weight)))
    if len(rows) * reach > len(series):
        return smooth(series, weight)[rows]
    begins = _piece_begins(series.piece, rows)
    smoothed = series.value[rows].copy()
    factors = weight ** np.arange(reach)
    for place, (row, begin) in enumerate(zip(rows.tolist(), begins.tolist(), strict=True)):
        past = series.value[max(begin, row - reach + 1) : row + 1][::-1]
        finite = np.isfinite(past)
        if finite[0]:
            own = factors[: len(past)] * finite
            smoothed[place] = np.dot(own, np.where(finite, past, 0.0)) / own.sum()
    return smoothed


def _piece_begins(piece: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each of the rows, where its piece begins."""
    begins = np.array([s.start for s in piece_slices(piece)], np.intp)
    return begins[np.searchsorted(begins, rows, side="right") - 1]


def _average(value: Floats, weight: float) -> Floats:
    finite = np.isfinite(value)
    weights = _decaying_sum(finite.astype(np.float64), weight)
    sums = _decaying_sum(np.where(finite, value, 0.0), weight)
    return np.where(finite, sums / np.where(finite, weights, 1.0), value)


def _decaying_sum(value: Floats, weight: float) -> Floats:
    """sum(weight^i * value[k-i]) for every k, by doubling: log2 passes instead of a Python loop (Hillis and Steele's scan)."""
    total = value.copy()
    reach, factor = 1, weight
    while reach < len(total) and factor > NOTHING:
        total[reach:] = total[reach:] + factor * total[:-reach]
        reach, factor = 2 * reach, factor * factor
    return total
