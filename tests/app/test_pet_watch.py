"""When the pet sits on the checkpoint, story by story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from batonpass.core.lineage import Candidate
from batonpass.core.model import CheckpointListing
from batonpass.core.states import State, Word
from batonpass.streamlit_app.pet_watch import look, sits
from batonpass.streamlit_app.standing import RunStanding

from .conftest import AppMaker

NOW = datetime(2026, 11, 27, tzinfo=UTC)
STORE = "a store"


def standing(minute: int | None, *, risk: int = 0, proven: bool = True, word: Word = Word.LIVE) -> RunStanding:
    """A run whose newest checkpoint was published at this minute, or that has none."""
    candidates: tuple[Candidate, ...] = ()
    if minute is not None:
        at = NOW + timedelta(minutes=minute)
        listing = CheckpointListing("k", minute, 1, 0.0, at, at, 1, "0" * 64, 0, 0.0, proven)
        candidates = (Candidate("s", listing, proven),)
    return RunStanding(State(word, ""), None, None, candidates, (), risk, float(risk), None, 0, 0)


def poses(*stories: dict[str, RunStanding], names: list[Any] | None = None, store: str = STORE) -> list[bool]:
    """Whether it sits in each story, looked at one after the other."""
    watch, found = None, []
    for name, standings in zip(names or range(len(stories)), stories, strict=True):
        watch = look(watch, store, name, standings)
        found.append(sits(watch, standings))
    return found


def test_it_sits_in_the_one_story_that_first_shows_a_new_durable_checkpoint() -> None:
    old, new = {"r": standing(1, risk=50)}, {"r": standing(2, risk=3)}
    assert poses(old, old, new, new) == [False, False, True, False]


def test_drawing_the_same_story_again_changes_nothing() -> None:
    old, new = {"r": standing(1, risk=50)}, {"r": standing(2, risk=3)}
    assert poses(old, new, new, new, names=[1, 2, 2, 2]) == [False, True, True, True]


def test_the_first_look_shows_nothing_as_new_and_another_store_begins_again() -> None:
    runs = {"r": standing(5, risk=1)}
    assert poses(runs) == [False]
    other = look(look(None, STORE, 1, {"r": standing(1)}), "another store", 2, runs)
    assert not sits(other, runs)


def test_with_any_step_at_risk_it_runs_however_few_seconds_that_is() -> None:
    assert poses({"r": standing(1, risk=1)}) == [False]
    assert poses({"r": standing(1, risk=0)}) == [True]
    assert poses({"r": standing(1), "q": standing(1, risk=1)}) == [False]


def test_what_was_only_handed_over_or_is_not_there_is_never_sat_on() -> None:
    assert poses({"r": standing(1, proven=False)}, {"r": standing(2, proven=False)}) == [False, False]
    assert poses({"r": standing(None)}) == [False]
    assert poses({"r": standing(None, risk=9)}, {"r": standing(1, risk=9)}) == [False, True], "the first one counts"


def test_an_older_one_that_stands_in_for_a_removed_one_is_not_new() -> None:
    assert poses({"r": standing(5, risk=1)}, {"r": standing(4, risk=9)}) == [False, False]


def test_with_no_run_live_it_sits_only_when_all_is_finished() -> None:
    done, failed = standing(1, word=Word.PROVEN), standing(1, word=Word.FAILED)
    assert poses({"r": done}) == [True]
    assert poses({"r": done, "q": failed}) == [False]
    assert poses({}) == [False]
    assert poses({"r": standing(1, word=Word.FAILED)}, {"r": standing(2, word=Word.FAILED)}) == [False, False]


def test_the_page_remembers_what_it_saw(app: AppMaker, store: Path) -> None:
    at = app(store)
    first = at.session_state["pet-watch"]
    assert "1a5e0000" in first.newest
    assert at.run().session_state["pet-watch"] == first
