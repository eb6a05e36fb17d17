"""How often to save follows from what a save costs and how long machines live."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.cadence import Cadence
from batonpass.core.interval import (
    BEFORE_MEASURED_S,
    LONGEST_S,
    MARGIN_S,
    PRIOR_LIFE_S,
    SHARE,
    SHORTEST_S,
    Cost,
    Lives,
    lives_of,
    tune,
)
from batonpass.core.model import End, EndKind, Host, Session

seconds = st.floats(0.0, 1e4)
costs = st.builds(Cost, seconds, seconds, seconds, seconds)


def session(hours: float, end: EndKind | None) -> Session:
    began = datetime(2026, 11, 1, tzinfo=UTC)
    over = began + timedelta(hours=hours)
    host = Host(provider="colab", machine="m", process="1-1")
    return Session("s", "r", 1, "", host, began, over, end=None if end is None else End(end, over))


def test_deaths_count_and_ends_by_the_user_only_lengthen_the_watching():
    assert lives_of([]) == Lives(PRIOR_LIFE_S, 0)
    assert lives_of([session(5, None), session(1, EndKind.RESTARTED)]) == Lives(3600 * 9 / 3, 2)
    assert lives_of([session(5, EndKind.CLOSED), session(1, EndKind.STOPPED)]) == Lives(3600 * 9.0, 0)


def test_a_clock_that_was_set_back_makes_no_negative_life():
    assert lives_of([session(-3, None)]) == Lives(PRIOR_LIFE_S / 2, 1)


def test_young_and_daly_where_cost_does_not_forbid_it():
    found = tune(Cost(0.5, 0.1, 0.0, 0.0), Lives(8 * 3600.0, 4), cores=1)
    assert found.every_s == pytest.approx(math.sqrt(2 * 0.6 * 8 * 3600))
    assert "4 that ended" in found.because


def test_a_shorter_life_saves_more_often():
    cost = Cost(0.4, 0.1, 0.05, 1.0)
    assert tune(cost, Lives(3600.0, 9), cores=2).every_s < tune(cost, Lives(8 * 3600.0, 1), cores=2).every_s


@given(costs, st.floats(60.0, 1e6), st.integers(1, 64))
def test_the_training_never_waits_for_more_than_its_share_and_minutes_are_all_that_is_at_risk(cost, life_s, cores):
    every_s = tune(cost, Lives(life_s, 1), cores=cores).every_s
    assert cost.stall_s / every_s <= SHARE * 1.000001
    assert SHORTEST_S <= every_s <= max(LONGEST_S, cost.stall_s / SHARE)


@given(costs, st.floats(60.0, 1e6))
def test_background_work_keeps_to_its_share_unless_too_much_would_be_at_risk(cost, life_s):
    every_s = tune(cost, Lives(life_s, 1), cores=2).every_s
    if every_s < LONGEST_S:
        sent_every_s = max(every_s, cost.send_s)
        used = (cost.stall_s + cost.commit_s) / every_s + (cost.send_cpu_s / sent_every_s if sent_every_s else 0)
        assert used <= SHARE * 1.000001


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_interval_is_measured_anew_all_the_time():
    clock = Clock()
    cadence = Cadence(monotonic=clock, cores=2)
    assert cadence.interval.every_s == BEFORE_MEASURED_S == 30.0
    for stall_s in [2.0] * 10:
        cadence.taken(stall_s)
    dear = cadence.interval.every_s
    for stall_s in [0.01] * 10:
        cadence.taken(stall_s)
    assert cadence.interval.every_s < dear
    assert not cadence.due
    clock.now += cadence.interval.every_s
    assert cadence.due


def test_what_the_user_asked_for_is_not_tuned():
    clock = Clock()
    cadence = Cadence(7.0, monotonic=clock)
    cadence.taken(100.0)
    assert cadence.interval.every_s == 7.0
    clock.now += 7.0
    assert cadence.due


def test_before_a_known_end_everything_is_saved_once_more_and_once_only():
    clock = Clock()
    cadence = Cadence(1e9, ends_in_s=[-5.0, 3600.0, 7200.0], monotonic=clock)
    assert not cadence.due
    clock.now += 3600.0 - MARGIN_S - 1
    assert not cadence.due
    clock.now += 1
    assert cadence.due
    cadence.taken(0.0)
    assert not cadence.due
    clock.now += 3600.0
    assert cadence.due


def test_a_slow_link_asks_for_an_earlier_last_save():
    clock = Clock()
    cadence = Cadence(1e9, ends_in_s=[3600.0], monotonic=clock)
    cadence.taken(0.0)
    cadence.sent(600.0, 1.0)
    clock.now += 3600.0 - 1200.0 - MARGIN_S
    assert cadence.due


def test_a_save_that_was_refused_neither_uses_up_the_last_one_nor_counts_as_cheap():
    clock = Clock()
    cadence = Cadence(1e9, ends_in_s=[MARGIN_S], monotonic=clock)
    assert cadence.due
    cadence.refused()
    assert not cadence.due
    clock.now += 5.0
    assert cadence.due
    assert cadence.cost is None
    cadence.taken(None)
    assert not cadence.due
    assert cadence.cost is None
