"""A lane's trouble: what is said, how often, and when the next try is due. The clock is the test's."""

from __future__ import annotations

import pytest

from batonpass.core.errors import SignInError, StoreFullError, StoreThrottledError, StoreUnreachableError
from batonpass.core.trouble import Kind
from batonpass.sync.lane_state import STUCK_AFTER_S, LaneState


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def said():
    return []


@pytest.fixture
def lane(clock, said):
    return LaneState("checkpoints", said.append, monotonic=lambda: clock[0], small_calls_work=lambda: True)


def fail(lane, error):
    def work():
        raise error

    lane.run(work)


def test_a_full_store_is_shown_at_once_and_asked_again_ten_minutes_later(lane, clock, said):
    fail(lane, StoreFullError("nothing more", hint="make room"))
    assert (lane.kind, lane.hint, lane.needs_person, lane.due) == (Kind.FULL, "make room", True, False)
    assert lane.as_dict()["next_try_s"] == 600.0
    clock[0] += 601
    assert lane.due
    lane.run(lambda: None)
    assert (lane.ok, lane.kind, lane.due) == (True, None, True)
    assert ["no room" in said[0], "works again" in said[1]] == [True, True]


def test_who_waits_need_not_wait_for_the_next_probe(lane):
    fail(lane, StoreFullError("nothing more"))
    lane.hurry()
    assert lane.due


def test_the_same_trouble_is_said_once_and_another_at_once(lane, clock, said):
    for _ in range(5):
        fail(lane, StoreUnreachableError("no answer"))
        clock[0] += 60
    fail(lane, SignInError("the token is dead", hint="log in"))
    assert ["no answer" in line for line in said] == [True, False]
    assert "needs sign-in" in said[1]


def test_what_google_words_like_a_rate_limit_becomes_the_daily_cap_after_a_quarter_of_an_hour(lane, clock, said):
    kinds = []
    for _ in range(5):
        fail(lane, StoreThrottledError("slower", retry_after_s=None))
        kinds.append(lane.kind)
        clock[0] += 300
    assert kinds == [Kind.THROTTLED] * 4 + [Kind.DAY_CAP]
    assert lane.as_dict()["next_try_s"] == 3600.0 - 300
    assert "750 GB" in said[-1]


def test_an_interruption_of_another_kind_begins_the_count_anew(lane, clock):
    for number in range(8):
        fail(lane, StoreUnreachableError("x") if number == 3 else StoreThrottledError("slower"))
        clock[0] += 250
    assert lane.kind is Kind.THROTTLED


def test_a_large_file_that_got_through_between_two_refusals_tells_of_no_daily_cap(lane, clock):
    for number in range(8):
        if number == 3:
            lane.got_through()
        fail(lane, StoreThrottledError("slower"))
        clock[0] += 250
    assert lane.kind is Kind.DAY_CAP, "refused for a quarter of an hour since"
    lane.got_through()
    fail(lane, StoreThrottledError("slower"))
    assert lane.kind is Kind.THROTTLED


def test_no_pause_keeps_a_heartbeat_silent_for_longer_than_a_lease(clock):
    beat = LaneState("beat", lambda _line: None, monotonic=lambda: clock[0], longest_wait_s=60.0)
    fail(beat, StoreFullError("x"))
    assert beat.as_dict()["next_try_s"] == 60.0
    fail(beat, StoreThrottledError("x", retry_after_s=900.0))
    assert beat.as_dict()["next_try_s"] == 60.0


def test_a_long_upload_that_moves_is_not_stuck_and_one_that_does_not_move_is(lane, clock):
    seen = []

    def work():
        for _ in range(4):
            clock[0] += STUCK_AFTER_S / 2
            lane.moved()
        seen.append(lane.as_dict()["stuck"])
        clock[0] += STUCK_AFTER_S + 1
        seen.append(lane.as_dict()["stuck"])

    lane.run(work)
    assert seen == [False, True]
    assert not lane.as_dict()["stuck"]
