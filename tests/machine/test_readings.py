"""Readings of GPUs: thinning that loses no GPU, means that weigh time, numbers that cannot be."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from batonpass.core.gpu.readings import (
    CURVES,
    MEMORY,
    MOST_GPUS,
    MOST_READINGS,
    UTILISATION,
    by_gpu,
    gap_after_s,
    summarise,
    thinned,
)
from batonpass.core.model import GpuSample

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def reading(minute, busy=50.0, index=0, **more):
    return GpuSample(NOW + timedelta(minutes=minute), index, busy, **more)


@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
def test_thinning_keeps_every_gpu_and_the_newest_moment(gpus):
    """One reading in two would be all of the first GPU and none of the second."""
    kept: tuple[GpuSample, ...] = ()
    for minute in range(3000):
        kept = thinned((*kept, *(reading(minute, index=i) for i in range(gpus))))
        assert len(kept) <= MOST_READINGS
    found = by_gpu(kept)
    assert list(found) == list(range(gpus))
    assert len({len(samples) for samples in found.values()}) == 1
    assert {samples[-1].at for samples in found.values()} == {NOW + timedelta(minutes=2999)}
    assert found[0][0].at < NOW + timedelta(minutes=1500), "the past stays, in coarser steps"


def test_many_readings_of_one_moment_end_too():
    assert len(thinned([reading(0, index=i) for i in range(1000)])) == MOST_READINGS


def test_few_readings_stay_as_they_are():
    samples = tuple(reading(m) for m in range(MOST_READINGS))
    assert thinned(samples) == samples


def test_a_mean_weighs_time_not_readings():
    """A busy first hour that was thinned to three readings counts as much as an idle one with sixty."""
    busy = [reading(m, 100.0) for m in (0, 12, 24, 36, 48, 60)]
    idle = [reading(m, 0.0) for m in range(61, 121)]
    found = summarise([*busy, *idle], UTILISATION)
    assert found.mean == pytest.approx(50, abs=2)
    assert (found.peak, found.n) == (100.0, 66)


def test_a_long_silence_is_a_gap_and_weighs_nothing():
    samples = [*(reading(m, 100.0) for m in range(10)), *(reading(600 + m, 0.0) for m in range(10))]
    assert gap_after_s(samples) == 900
    assert summarise(samples, UTILISATION).mean == pytest.approx(50)


def test_one_reading_is_its_own_mean_and_none_is_none():
    assert summarise([reading(0, 30.0)], UTILISATION).mean == 30
    assert summarise([reading(0, None)], UTILISATION) is None
    assert summarise([], UTILISATION) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1.0, 10**40, None])
def test_a_number_that_cannot_be_is_not_read(value):
    sample = GpuSample(NOW, 0, value, value, value if value != -1.0 else -100.0, value)
    assert [curve.read(sample) for curve in CURVES] == [None] * 4


def test_memory_is_read_in_gib():
    assert MEMORY.read(reading(0, memory_used_bytes=3 * 2**30)) == 3.0


def test_gpus_are_apart_sorted_and_not_endless():
    samples = [reading(m, index=i) for m in (2, 1, 0) for i in (10**30, *range(20), -1)]
    found = by_gpu(samples)
    assert list(found) == [-1, *range(MOST_GPUS - 1)]
    assert all([s.at for s in many] == sorted(s.at for s in many) for many in found.values())
