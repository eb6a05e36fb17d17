"""The state word says what is known, and an offline computer declares nobody dead."""

from dataclasses import replace

import pytest
from test_lineage import NOW, head, listing, session

from batonpass.core import states
from batonpass.core.lineage import trace
from batonpass.core.model import End, EndKind
from batonpass.core.states import Word, last_on_its_way, run_state, session_state

ALIVE = session("a", 1, (100,), step=120)


@pytest.mark.parametrize(
    ("age_s", "mount", "word"),
    [
        (0.0, False, Word.LIVE),
        (-30.0, False, Word.LIVE),
        (states.QUIET_AFTER_S - 1, False, Word.LIVE),
        (states.QUIET_AFTER_S, False, Word.QUIET),
        (states.LOST_AFTER_S, False, Word.LOST),
        (states.LOST_AFTER_S, True, Word.LIVE),
        (states.MOUNT_QUIET_AFTER_S, True, Word.QUIET),
        (states.MOUNT_LOST_AFTER_S, True, Word.LOST),
        (1e12, True, Word.LOST),
    ],
)
def test_silence_becomes_quiet_then_lost_contact_later_on_a_mount(age_s, mount, word):
    assert session_state(ALIVE, age_s, mount=mount).word is word


def test_an_offline_computer_declares_nobody_dead():
    state = session_state(ALIVE, 1e6, offline=True)
    assert (state.word, state.offline) == (Word.UNKNOWN, True)
    assert "This computer is offline" in state.sentence


def test_an_end_that_was_written_is_known_offline_too():
    stopped = replace(ALIVE, end=End(EndKind.STOPPED, NOW))
    state = session_state(stopped, None, offline=True)
    assert (state.word, state.offline) == (Word.STOPPED, True)


def test_a_watcher_that_still_beats_is_no_living_training():
    dead = replace(ALIVE, alive=False)
    assert session_state(dead, 1.0).word is Word.PROCESS_GONE
    assert session_state(dead, 1e6).word is Word.LOST


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (EndKind.CLOSED, Word.CLOSED),
        (EndKind.STOPPED, Word.STOPPED),
        (EndKind.FAILED, Word.FAILED),
        (EndKind.RESTARTED, Word.RESTARTED),
        (EndKind.FINISHED, Word.FINISHED),
    ],
)
def test_each_end_has_its_word_however_old_it_is(kind, word):
    assert session_state(replace(ALIVE, end=End(kind, NOW)), 1e9).word is word


def test_finished_is_proven_only_when_the_last_step_is():
    done = replace(session("a", 1, (100,)), end=End(EndKind.FINISHED, NOW))
    assert session_state(done, 1.0).word is Word.PROVEN
    handed_over = replace(done, checkpoints=(listing("a", 100, proven=False),))
    key = handed_over.checkpoints[0].key
    assert session_state(handed_over, 1.0).word is Word.FINISHED
    assert session_state(handed_over, 1.0, arrived={key}).word is Word.PROVEN
    assert session_state(replace(handed_over, quarantined=(key,)), 1.0, arrived={key}).word is Word.FINISHED
    assert session_state(replace(done, checkpoints=()), 1.0).word is Word.FINISHED


def test_no_sentence_says_why_a_provider_ended_a_session():
    said = [session_state(replace(ALIVE, alive=alive), age) for alive in (True, False) for age in (0.0, 200.0, 1e6)]
    said += [session_state(replace(ALIVE, end=End(kind, NOW)), 0.0) for kind in EndKind]
    for state in said:
        assert not any(word in state.sentence.lower() for word in ("colab", "kaggle", "provider", "limit", "preempt"))


def test_a_run_speaks_with_its_holders_word():
    a, b = session("a", 1, (100,)), session("b", 2, after=("a", 100))
    ages = {"a": 1e6, "b": 5.0}
    assert run_state(head("b", "a", "b"), [a, b], ages).word is Word.LIVE
    assert run_state(head(None, "a", "b"), [a, replace(b, end=End(EndKind.FAILED, NOW))], ages).word is Word.FAILED


def test_a_start_that_did_nothing_does_not_make_a_finished_run_unfinished():
    done = replace(session("a", 1, (100,)), end=End(EndKind.FINISHED, NOW))
    for kind in (EndKind.CLOSED, EndKind.FAILED, EndKind.FINISHED):
        only_started = replace(session("b", 2), end=End(kind, NOW))
        attached = replace(session("c", 3, after=("a", 100), step=100), rows=0, end=End(kind, NOW))
        known = [done, only_started, attached]
        assert run_state(head(None, "a", "b"), known[:2], {}).word is Word.PROVEN
        assert run_state(head(None, "a", "b", "c"), known, {}).word is Word.PROVEN
    back = replace(session("b", 2, after=("a", 50), step=50), rows=0, end=End(EndKind.CLOSED, NOW))
    assert run_state(head(None, "a", "b"), [done, back], {}).word is Word.CLOSED
    broken_off = replace(session("a", 1, (100,), step=120), end=End(EndKind.STOPPED, NOW))
    failed = replace(session("b", 2), end=End(EndKind.FAILED, NOW))
    assert run_state(head("b", "a", "b"), [broken_off, failed], {"b": 9.0}).word is Word.FAILED
    only_started = [done, session("b", 2)]
    assert run_state(head("b", "a", "b"), only_started, {"b": 9.0}).word is Word.PROVEN
    attached = [done, replace(session("b", 2, after=("a", 100), step=100), rows=0)]
    assert run_state(head("b", "a", "b"), attached, {"b": 9.0}).word is Word.LIVE
    assert run_state(head("b", "a", "b"), attached, {"b": 9e3}).word is Word.PROVEN
    assert run_state(head("b", "a", "b"), attached, {"b": 400.0}, mount=True).word is Word.LIVE
    assert run_state(head("b", "a", "b"), attached, {"b": 9e3}, offline=True).word is Word.UNKNOWN


def test_a_session_among_others_is_not_called_live_once_another_went_on_nor_finished_where_it_did_nothing():
    assert states.stands(Word.LIVE, ALIVE, continued=True) == "continued by another"
    assert states.stands(Word.LIVE, ALIVE, continued=False) == "live"
    assert states.stands(Word.FAILED, ALIVE, continued=True) == "failed with an error"
    nothing = replace(session("b", 2), end=End(EndKind.FINISHED, NOW))
    assert states.stands(Word.FINISHED, nothing, continued=False) == "nothing trained"
    assert states.stands(Word.FAILED, replace(nothing, end=End(EndKind.FAILED, NOW)), continued=False) == Word.FAILED


def test_a_run_without_sessions_has_not_started_and_offline_nobody_knows():
    assert run_state(head(None), [], {}).word is Word.NOT_STARTED
    assert run_state(head(None), [], {}, offline=True).word is Word.UNKNOWN
    assert run_state(head("a"), [ALIVE], {}).word is Word.UNKNOWN


def test_a_holder_whose_file_has_not_arrived_is_unknown_and_not_its_predecessor():
    state = run_state(head("b", "a", "b"), [ALIVE], {"a": 1.0})
    assert state.word is Word.UNKNOWN
    assert "has not arrived" in state.sentence


def test_a_session_that_was_only_started_is_not_the_last_on_its_way():
    first, second = session("a", 1, (10,), step=14), session("b", 2)
    assert last_on_its_way(trace(head("b", "a", "b"), [first, second])) is first
    attached = session("c", 3, after=("a", 10), step=10, rows=0)
    assert last_on_its_way(trace(head("c", "a", "b", "c"), [first, second, attached])) is attached
    assert last_on_its_way(trace(head("b", "b"), [second])) is second
    assert last_on_its_way(trace(head(None), [])) is None
