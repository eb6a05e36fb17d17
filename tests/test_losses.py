"""What continuing from a checkpoint costs is reckoned along the lineage, and never called nothing where nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from test_lineage import session

from batonpass.core.lineage import trace
from batonpass.core.losses import Again, Loss, loss_behind, run_again
from batonpass.core.model import End, EndKind, Head, ResumeRecord
from batonpass.core.states import PARTED_DETAIL
from batonpass.words import welcome

AT = datetime(2026, 11, 23, tzinfo=UTC)


def loss(known, order, *, at, step):
    head = Head(9, None, "", sessions=tuple(order))
    return loss_behind(trace(head, known), head, {s.id for s in known}, session=at, step=step, trained_s=step * 0.5)


STOPPED = End(EndKind.STOPPED, AT)


def test_nothing_is_lost_at_the_last_step_of_the_last_session():
    assert loss([session("a", 1, [10, 20], end=STOPPED)], "a", at="a", step=20) == Loss()


def test_of_a_machine_that_vanished_nobody_says_that_nothing_is_lost():
    """Its last sign of life told of no step behind the checkpoint, and it may have trained for a minute after that."""
    assert loss([session("a", 1, [10, 20])], "a", at="a", step=20) == Loss(cut_off=True)
    known = [session("a", 1, [10, 20], end=STOPPED), session("b", 2, after=("a", 20), step=20)]
    assert loss(known, "ab", at="a", step=20) == Loss(cut_off=True)


def test_steps_behind_the_last_checkpoint_run_again():
    assert loss([session("a", 1, [10], step=14)], "a", at="a", step=10) == Loss(4, 2.0, "a", cut_off=True)


def test_a_newer_session_counts_although_an_older_one_restores_at_its_last_step():
    known = [session("a", 1, [10, 20]), session("b", 2, [30], after=("a", 20))]
    assert loss(known, "ab", at="a", step=20) == Loss(10, 15.0, "b", cut_off=True)


def test_a_newer_session_that_trained_nothing_hides_no_loss():
    known = [session("a", 1, [20], step=25), session("b", 2, after=("a", 20), step=20)]
    assert loss(known, "ab", at="a", step=20) == Loss(5, 2.5, "a", cut_off=True)


def test_what_a_deliberate_rewind_left_behind_is_not_lost_again():
    known = [session("a", 1, [30, 90]), session("b", 2, [34], after=("a", 30), end=STOPPED)]
    assert loss(known, "ab", at="b", step=34) == Loss()


def test_a_later_session_that_cannot_be_read_is_named():
    assert loss([session("a", 1, [10], end=STOPPED)], "ab", at="a", step=10) == Loss(unread=("b",))
    assert loss([session("a", 1, [10], step=14)], "ab", at="a", step=10) == Loss(4, 2.0, "a", ("b",), cut_off=True)


def test_an_earlier_session_that_cannot_be_read_hides_nothing():
    assert loss([session("b", 2, [20], after=("a", 10), end=STOPPED)], "ab", at="b", step=20) == Loss()


@pytest.mark.parametrize(
    ("end", "least"),
    [
        (None, True),
        (End(EndKind.RESTARTED, AT), True),
        (End(EndKind.CLOSED, AT, PARTED_DETAIL), True),
        (End(EndKind.STOPPED, AT), False),
        (End(EndKind.FAILED, AT, "boom"), False),
        (End(EndKind.CLOSED, AT), False),
    ],
)
def test_only_a_session_that_wrote_its_own_end_is_known_to_its_last_step(end, least):
    found = loss([replace(session("a", 1, [10], step=14), end=end)], "a", at="a", step=10)
    assert found.steps == 4
    assert found.is_least is least


HISTORIES = {
    "one that vanished": [session("a", 1, [10], step=14), session("b", 2, after=("a", 10), step=30)],
    "one that said its end": [
        replace(session("a", 1, [10], step=14), end=End(EndKind.STOPPED, AT)),
        session("b", 2, after=("a", 10), step=30),
    ],
    "nothing lost": [session("a", 1, [10, 20], end=STOPPED), session("b", 2, [30], after=("a", 20))],
    "nothing lost up to its last words": [session("a", 1, [10, 20]), session("b", 2, [30], after=("a", 20))],
    "each after the last": [
        session("a", 1, [10], step=14),
        session("b", 2, [20], after=("a", 10), step=25),
        session("c", 3, after=("b", 20), step=40),
    ],
    "twice from one checkpoint": [
        session("a", 1, [10], step=18),
        session("b", 2, after=("a", 10), step=13),
        session("c", 3, after=("a", 10), step=40),
    ],
}


@pytest.mark.parametrize("known", HISTORIES.values(), ids=HISTORIES)
def test_the_app_counts_what_each_notebook_said_at_its_start(known):
    """One definition: the steps behind the checkpoint that a session had finished by its own file."""
    said = [
        loss(
            known[:place],
            [s.id for s in known[:place]],
            at=later.resumed_from.session,
            step=later.resumed_from.step,
        )
        for place, later in enumerate(known)
        if later.resumed_from
    ]
    assert run_again(reversed(known)) == Again(sum(s.steps for s in said), any(s.is_least for s in said))


def test_a_session_that_trained_nothing_ran_nothing_again():
    known = [session("a", 1, [20], step=25), session("b", 2, after=("a", 20), step=20)]
    assert run_again(known) == Again(0, is_least=False)
    assert run_again([*known, session("c", 3, after=("a", 20), step=90)]) == Again(5, is_least=True)


def test_a_session_that_is_not_there_and_a_circle_count_nothing():
    assert run_again([session("b", 2, after=("a", 10), step=30)]) == Again(0, is_least=False)
    circle = [session("a", 1, after=("b", 10), step=30), session("b", 2, after=("c", 40), step=30)]
    assert run_again(circle) == Again(0, is_least=False)


def test_at_its_goal_no_step_beyond_it_is_promised():
    record = ResumeRecord("a", "k", 30, 30, "EXACT")
    assert "at its goal, step 30 of 30; nothing lost" in welcome(record, Loss(), goal_steps=30)
    assert "continuing at step 31 of 40" in welcome(record, Loss(), goal_steps=40)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Loss(58, 240.0, "a", cut_off=True), "at least 58 steps (4 min) run again: it vanished"),
        (Loss(1, 2.0, "a"), "; 1 step (2 s) runs again: it vanished"),
        (Loss(), "nothing lost"),
        (
            Loss(cut_off=True),
            "nothing lost up to the last session's last sign of life; what it did after that runs again",
        ),
    ],
)
def test_the_notebook_says_how_many_steps_run_again(found, said):
    record = ResumeRecord("a", "k", 10, 10, "EXACT", reason="it vanished")
    assert said in welcome(record, found, goal_steps=None)
