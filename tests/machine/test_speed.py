"""Measured speeds, their ratio, what figures would predict, and how sure a share is."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from scipy.stats import binomtest

from batonpass.core.gpu.catalogue import catalogue
from batonpass.core.gpu.odds import shares, wilson
from batonpass.core.gpu.prediction import predict
from batonpass.core.gpu.speed import Speed, ratio, session_speed, speeds
from batonpass.core.model import Host, Session

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CARDS = {e.name: e for e in catalogue()}


def session(trained_s, steps):
    return Session(
        id="s", run_id="r", term=1, account="", host=Host("colab", "m", "1-1"), started_at=NOW, heartbeat_at=NOW,
        trained_s=trained_s, steps_done=steps,
    )  # fmt: skip


def test_speed_is_steps_over_the_time_in_the_loop():
    assert session_speed(session(100.0, 250)) == 2.5


@pytest.mark.parametrize(
    ("trained_s", "steps"),
    [(1.0, 500), (60.0, 3), (0.0, 100), (-5.0, 100), (math.nan, 100), (math.inf, 100), (1e300, 100), (2.0, 2**63 - 1)],
)
def test_too_little_or_impossible_work_has_no_speed(trained_s, steps):
    assert session_speed(session(trained_s, steps)) is None


def test_cards_stand_slowest_first_with_every_session():
    found = speeds([("L4", 3.0), ("T4", 1.0), ("T4", 2.0), ("T4", 1.5), ("L4", None)])
    assert found == (Speed("T4", (1.0, 1.5, 2.0)), Speed("L4", (3.0,)))
    assert (found[0].median, found[0].n) == (1.5, 3)


def test_the_ratio_spans_the_most_different_sessions():
    r = ratio(Speed("V100", (4.0, 6.0)), Speed("T4", (1.0, 2.0, 2.0)))
    assert (r.value, r.low, r.high) == (2.5, 2.0, 6.0)


def test_no_published_figure_makes_a_v100_ten_times_a_t4():
    predicted = predict(CARDS["V100 16GB"], CARDS["T4"])
    assert min(predicted.named().values()) > 1.5
    assert max(predicted.named().values()) < 3.5
    assert predicted.nearest(2.9) == "memory bandwidth"


def test_without_tensor_cores_half_precision_is_predicted_at_the_fp32_rate():
    predicted = predict(CARDS["P100"], CARDS["T4"])
    assert predicted.fp32 > 1 > predicted.half
    assert predicted.half == pytest.approx(9.3 / 65)


def test_a_missing_figure_predicts_nothing():
    predicted = predict(CARDS["RTX PRO 6000 Blackwell Server"], CARDS["T4"])
    assert predicted.named() == {}
    assert predicted.nearest(2.0) == ""
    assert predict(CARDS["T4"], CARDS["K80"]).nearest(math.nan) == ""


@pytest.mark.parametrize(("times", "n"), [(4, 4), (1, 3), (0, 10), (0, 1), (17, 40), (999, 1000)])
def test_the_interval_of_a_share_is_wilsons(times, n):
    """Against SciPy's."""
    theirs = binomtest(times, n).proportion_ci(0.95, method="wilson")
    assert wilson(times, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("times", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_an_impossible_count_is_no_share(times, n):
    with pytest.raises(ValueError, match="no share"):
        wilson(times, n)


def test_an_interval_narrows_with_n_and_always_holds_the_share():
    widths = []
    for n in (1, 3, 10, 100, 1000):
        low, high = wilson(n // 3, n)
        assert 0 <= low <= n // 3 / n <= high <= 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_shares_stand_by_place_with_the_most_frequent_first():
    found = shares([("b", "T4"), ("A", "L4"), ("b", "L4"), ("b", "T4")])
    assert list(found) == ["A", "b"]
    assert [(s.name, s.times, s.n) for s in found["b"]] == [("T4", 2, 3), ("L4", 1, 3)]
