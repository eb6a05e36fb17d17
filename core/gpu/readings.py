"""What a session's readings of one GPU come to. A reading is one moment per heartbeat, and old ones are thinned: means weigh time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from batonpass.core.model.machine import GpuSample

MOST_GPUS = 8
"""More GPUs than this in one session are not drawn: lines would hide one another."""
MOST_READINGS = 240
"""A session keeps at most so many, over all its GPUs."""
GAP_AT_LEAST_S = 900.0
GAP_FACTOR = 5.0
"""No reading for so long, and for so many times the usual distance, is a gap: nothing is known in between."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity that NVML reports. `read` gives it in `unit`, or None where it is not there or cannot be true."""

    name: str
    unit: str
    read: Callable[[GpuSample], float | None]


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one curve of one GPU: the mean over time, the peak, and how many readings carry it."""

    mean: float
    peak: float
    n: int


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None


def _gib(sample: GpuSample) -> float | None:
    used = _within(sample.memory_used_bytes, 0, 2**50)
    return None if used is None else used / 2**30


UTILISATION = Curve("utilisation", "%", lambda s: _within(s.utilisation_percent, 0, 100))
MEMORY = Curve("memory", "GiB", _gib)
TEMPERATURE = Curve("temperature", "°C", lambda s: _within(s.temperature_c, -60, 200))
POWER = Curve("power", "W", lambda s: _within(s.power_w, 0, 5000))
CURVES = (UTILISATION, MEMORY, TEMPERATURE, POWER)
"""In the order in which they are drawn. Bounds are generous: beyond them no card exists."""


def thinned(samples: Sequence[GpuSample]) -> tuple[GpuSample, ...]:
    """At most `MOST_READINGS`: every second moment is dropped, with the readings of all GPUs at it, and the newest is kept.

    Dropping every second reading instead would take all readings of one GPU where there are two.
    """
    kept = tuple(samples)
    while len(kept) > MOST_READINGS:
        moments = sorted({s.at for s in kept}, reverse=True)
        chosen = set(moments[::2])
        fewer = tuple(s for s in kept if s.at in chosen)
        if len(fewer) == len(kept):
            return kept[-MOST_READINGS:]
        kept = fewer
    return kept


def by_gpu(samples: Iterable[GpuSample]) -> dict[int, tuple[GpuSample, ...]]:
    """GPU's index -> its readings, oldest first; at most `MOST_GPUS` of them, the lowest indexes."""
    found: dict[int, list[GpuSample]] = {}
    for sample in samples:
        found.setdefault(sample.index, []).append(sample)
    return {index: tuple(sorted(found[index], key=lambda s: s.at)) for index in sorted(found)[:MOST_GPUS]}


def summarise(samples: Sequence[GpuSample], curve: Curve) -> Summary | None:
    """Mean and peak of one GPU's readings, oldest first; None where no reading has the quantity.

    Each reading stands for half the time to its neighbours, gaps left out, so that thinned parts count as much as dense ones.
    """
    values = [(s, value) for s in samples if (value := curve.read(s)) is not None and math.isfinite(value)]
    if not values:
        return None
    weights = _weights([s for s, _ in values])
    mean = sum(w * v for w, (_, v) in zip(weights, values, strict=True)) / sum(weights)
    return Summary(mean, max(v for _, v in values), len(values))


def gap_after_s(samples: Sequence[GpuSample]) -> float:
    """Seconds without a reading from which on the line is broken."""
    steps = _steps(samples)
    return max(GAP_AT_LEAST_S, GAP_FACTOR * median(steps)) if steps else GAP_AT_LEAST_S


def _steps(samples: Sequence[GpuSample]) -> list[float]:
    return [(b.at - a.at).total_seconds() for a, b in pairwise(samples)]


def _weights(samples: Sequence[GpuSample]) -> list[float]:
    gap_s = gap_after_s(samples)
    steps = [step if 0 < step < gap_s else 0.0 for step in _steps(samples)]
    weights = [(before + after) / 2 for before, after in zip([0.0, *steps], [*steps, 0.0], strict=True)]
    return weights if sum(weights) > 0 else [1.0] * len(samples)
