"""Stays side by side, rests against lengths, and what a note said before: the arithmetic under the Accounts page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from batonpass.core.model import Note
from batonpass.core.usage import Ending, Stay
from batonpass.streamlit_app.estimates.groups import By, grouped, median_range
from batonpass.streamlit_app.estimates.rest import ENOUGH_PAIRS, rest_link, rested
from batonpass.streamlit_app.estimates.survival import survival
from batonpass.streamlit_app.note_history import older_texts, removed_notes

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def stay(hours: float, *, rest_h: float | None = 1.0, account: str = "a", gpu: str = "Tesla T4") -> Stay:
    until = NOW + timedelta(hours=hours)
    rest_s = rest_h * 3600 if rest_h is not None else None
    return Stay(account, "colab", "m", NOW, until, Ending.VANISHED, (), (gpu,), rest_s)


def test_groups_stand_in_the_order_of_their_names_and_not_of_their_lengths() -> None:
    stays = [stay(1, account="b"), stay(9, account="c"), stay(3, account="a", gpu="NVIDIA L4")]
    assert list(grouped(stays, By.ACCOUNT)) == ["a", "b", "c"]
    assert {name: len(found) for name, found in grouped(stays, By.GPU).items()} == {"L4": 1, "T4": 2}
    assert list(grouped(stays, By.PROVIDER)) == ["Colab"]


def test_one_hour_and_six_hours_are_told_apart_by_their_ranges() -> None:
    short = survival([stay(1 + k / 10) for k in range(8)])
    long = survival([stay(6 + k / 10) for k in range(8)])
    assert short is not None
    assert long is not None
    assert median_range(short)[1] < median_range(long)[0]  # type: ignore[operator]
    low, high = median_range(long)
    assert low is not None
    assert high is not None
    assert low <= long.median_hours <= high  # type: ignore[operator]


def test_longer_stays_after_longer_rests_show_and_a_mixed_log_shows_nothing() -> None:
    draw = np.random.default_rng(1)
    rests = draw.uniform(1, 30, 14)
    linked = rest_link([stay(r / 4 + e, rest_h=r) for r, e in zip(rests, draw.uniform(0, 1, 14), strict=True)])
    assert linked is not None
    assert linked.rho > 0.9
    assert linked.shows_something
    mixed = rest_link([stay(h, rest_h=r) for r, h in zip(rests, draw.uniform(1, 9, 14), strict=True)])
    assert mixed is not None
    assert not mixed.shows_something
    assert mixed.n == 14


def test_chance_is_rarely_taken_for_a_link() -> None:
    """By its own word: about one unlinked log in twenty shows something."""
    draw = np.random.default_rng(2)
    wrong = 0
    for _ in range(200):
        link = rest_link([stay(h, rest_h=r) for r, h in draw.uniform(1, 20, (10, 2))])
        wrong += link is not None and link.shows_something
    assert 2 <= wrong <= 20


def test_nothing_is_said_of_few_stays_of_alike_ones_or_of_those_you_ended() -> None:
    few = [stay(k + 1, rest_h=k + 1) for k in range(ENOUGH_PAIRS - 1)]
    assert rest_link(few) is None
    assert rest_link([stay(2, rest_h=k + 1) for k in range(12)]) is None
    by_hand = [replace(s, ending=Ending.BY_YOU) for s in (stay(k + 1, rest_h=k + 1) for k in range(12))]
    assert rest_link(by_hand) is None
    assert rested([stay(1, rest_h=None), stay(1, rest_h=0.0), stay(1)]) == (stay(1),)


def note(name: str, text: str, replaces: str | None = None, day: int = 1) -> Note:
    return Note(name, NOW + timedelta(days=day), text, replaces)


def test_a_changed_note_keeps_every_older_text_newest_first() -> None:
    notes = (note("1", "first"), note("2", "second", "1", 2), note("3", "third", "2", 3), note("x", "other"))
    assert [n.text for n in older_texts(notes, notes[2])] == ["second", "first"]
    assert older_texts(notes, notes[3]) == ()


def test_two_computers_that_change_one_note_both_show_where_it_came_from() -> None:
    notes = (note("1", "first"), note("2", "mine", "1", 2), note("3", "yours", "1", 2))
    assert [older_texts(notes, n)[0].text for n in notes[1:]] == ["first", "first"]


@pytest.mark.parametrize("replaces", ["1", "2", "nowhere"])
def test_notes_that_replace_each_other_in_a_circle_are_walked_once(replaces: str) -> None:
    notes = (note("1", "a", replaces), note("2", "b", "1"))
    assert len(older_texts(notes, notes[1])) <= 1


def test_a_removed_note_is_still_there_to_read() -> None:
    notes = (note("1", "first"), note("2", "second", "1", 2), note("3", "", "2", 3))
    assert [n.text for n in removed_notes(notes)] == ["second"]
    assert removed_notes(notes[:2]) == ()
