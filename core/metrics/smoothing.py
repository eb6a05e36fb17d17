"""The de-biased exponential moving average that curves are smoothed with, never across a rewind."""

from __future__ import annotations

import numpy as np

from batonpass.core.metrics.stitch import Series
from batonpass.core.metrics.table import Floats


def smooth(series: Series, weight: float) -> Floats:
    """One smoothed value per row: sum(weight^i * x[k-i]) / sum(weight^i) over the rows of the same piece up to k.

    That is TensorBoard's smoothing, the first value unbiased. Values that are not finite stay as they are and do not spread. Over
    the rows that count it equals what the uninterrupted run would show. `weight` is from 0 (none) to below 1; ValueError otherwise.
    """
    if not 0.0 <= weight < 1.0:
        raise ValueError(f"a weight is from 0 to below 1, not {weight}")
    smoothed = series.value.copy()
    order = np.argsort(series.piece, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(series.piece[order]) != 0]) if len(order) else order
    for rows in np.split(order, starts[1:]):
        smoothed[rows] = _average(series.value[rows], weight)
    return smoothed


def _average(value: Floats, weight: float) -> Floats:
    finite = np.isfinite(value)
    weights = _decaying_sum(finite.astype(np.float64), weight)
    sums = _decaying_sum(np.where(finite, value, 0.0), weight)
    return np.where(finite, sums / np.where(finite, weights, 1.0), value)


def _decaying_sum(value: Floats, weight: float) -> Floats:
    """sum(weight^i * value[k-i]) for every k, by doubling: log2 passes instead of a Python loop (Hillis and Steele's scan)."""
    total = value.copy()
    reach, factor = 1, weight
    while reach < len(total) and factor > 1e-18:
        total[reach:] = total[reach:] + factor * total[:-reach]
        reach, factor = 2 * reach, factor * factor
    return total
