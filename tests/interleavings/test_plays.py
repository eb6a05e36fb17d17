"""Sessions that race for one run, in every order a seed can think of; and the controls: with a promise's guard taken away, the plays notice."""

from __future__ import annotations

import os

import pytest

from batonpass.sync import handover
from batonpass.sync.active import ActiveSession
from interleavings.history import RecordedStore, Violation
from interleavings.play import play

PLAYS = int(os.environ.get("BATONPASS_INTERLEAVINGS", "60"))
FIRST = 1
CONTROL_PLAYS = 150


@pytest.mark.parametrize("tens", range(max(PLAYS // 10, 1)))
def test_no_order_of_calls_loses_an_entry_or_stops_a_healthy_session(tens):
    plays = [play(seed) for seed in range(FIRST + 10 * tens, FIRST + 10 * tens + 10)]
    went_on = sum(one.outcome.count("went on") for one in plays)
    assert went_on >= len(plays) // 2, "a store that refuses everybody breaks no promise either"


def test_the_same_seed_plays_the_same_way():
    first, second = play(4), play(4)
    assert (first.stage.calls, first.outcome) == (second.stage.calls, second.outcome)


def violations() -> bool:
    for seed in range(FIRST, FIRST + CONTROL_PLAYS):
        try:
            play(seed)
        except Violation:
            return True
    return False


def test_without_compare_and_swap_a_promise_breaks(monkeypatch):
    put = RecordedStore.put

    def careless(self, key, body, **options):
        return put(self, key, body, **{**options, "expect": None})

    monkeypatch.setattr(RecordedStore, "put", careless)
    assert violations()


def test_without_the_fence_a_loser_does_not_know(monkeypatch):
    monkeypatch.setattr(ActiveSession, "_fence", lambda self: None)
    assert violations()


def test_with_equal_nonces_anothers_write_is_taken_for_ones_own(monkeypatch):
    monkeypatch.setattr(handover.secrets, "token_hex", lambda _count: "equal")
    assert violations()
