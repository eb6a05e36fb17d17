"""Which checkpoint comes next, and which rows count: by lineage, never by the largest step or a clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from batonpass.core.lineage import Role, legs, resume_candidates, trace, work_at_risk
from batonpass.core.model import CheckpointListing, Head, Host, ResumeRecord, Session

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def listing(session, step, *, rows=None, proven=True):
    return CheckpointListing(
        key=f"checkpoints/{step}-{session}-0.json",
        step=step,
        attempt=0,
        epoch=0.0,
        created_at=NOW,
        published_at=NOW + timedelta(seconds=step),
        size_bytes=100,
        manifest_sha256="",
        metric_rows=step if rows is None else rows,
        trained_s=step * 0.5,
        proven=proven,
    )


def session(name, term, steps=(), *, after=None, branch=None, step=None, rows=None, **more):
    """A session with a checkpoint at each of `steps`; `after` is (session, step) of the checkpoint it continued from."""
    record = ResumeRecord(after[0], f"checkpoints/{after[1]}-{after[0]}-0.json", after[1], after[1]) if after else None
    last = step if step is not None else (steps[-1] if steps else 0)
    return Session(
        id=name,
        run_id="r",
        term=term,
        account="school",
        host=Host("colab", "m", "1-1"),
        started_at=NOW,
        heartbeat_at=NOW,
        branch=branch,
        step=last,
        steps_done=last - (after[1] if after else 0),
        rows=last if rows is None else rows,
        trained_s=last * 0.5,
        resumed_from=record,
        checkpoints=tuple(listing(name, s) for s in steps),
        **more,
    )


def head(holder, *names, term=9):
    return Head(term, holder, "n", names or (() if holder is None else (holder,)))


def order(candidates):
    return [(c.session, c.step) for c in candidates if not c.passed_over]


def test_the_holders_checkpoints_come_first_newest_first_then_those_it_came_from():
    a, b = session("a", 1, (100, 200, 300)), session("b", 2, (250, 350), after=("a", 200))
    assert order(resume_candidates(head("b", "a", "b"), [a, b])) == [("b", 350), ("b", 250), ("a", 200), ("a", 100)]


def test_a_session_that_lost_the_run_and_trained_on_is_not_what_the_next_one_continues():
    a = session("a", 1, (4000, 9000), branch="lost to b")
    b = session("b", 2, (6000,), after=("a", 4000))
    assert order(resume_candidates(head("b", "a", "b"), [a, b]))[0] == ("b", 6000)
    assert ("a", 9000) not in order(resume_candidates(head("b", "a", "b"), [a, b]))


def test_a_lost_branch_can_still_be_chosen():
    a = session("a", 1, (4000, 9000), branch="lost to b")
    b = session("b", 2, (6000,), after=("a", 4000))
    assert order(resume_candidates(head("b", "a", "b"), [a, b], tip="a"))[0] == ("a", 9000)


def test_a_deliberate_rewind_continues_near_the_kill_and_not_at_the_old_end():
    a, b = session("a", 1, (3000, 9000)), session("b", 2, (3400,), after=("a", 3000))
    c = session("c", 3)
    assert order(resume_candidates(head("c", "a", "b", "c"), [a, b, c]))[0] == ("b", 3400)


def test_a_new_holder_that_has_restored_nothing_yet_looks_at_the_holder_before_it():
    a, b = session("a", 1, (100,)), session("b", 2)
    offline = session("x", 1, (900,), branch="began offline")
    assert order(resume_candidates(head("b", "a", "x", "b"), [a, offline, b])) == [("a", 100)]


def test_a_released_run_is_continued_from_its_last_term():
    a, b = session("a", 1, (500,)), session("b", 2, (300,), after=("a", 200))
    assert order(resume_candidates(head(None, "a", "b"), [b, a]))[0] == ("b", 300)


def test_what_is_quarantined_or_asked_to_be_removed_is_passed_over_with_the_reason():
    a = session("a", 1, (100, 200, 300))
    key = a.checkpoints[2].key
    b = replace(session("b", 2), quarantined=(key,))
    found = resume_candidates(head("b", "a", "b"), [a, b], deleted={a.checkpoints[1].key})
    assert order(found) == [("a", 100)]
    assert [c.passed_over for c in found] == ["found corrupt by session b", "its removal was asked for", ""]


def test_handed_over_is_told_from_proven_and_a_receipt_proves():
    a = replace(session("a", 1), checkpoints=(listing("a", 1, proven=False), listing("a", 2, proven=False)))
    found = resume_candidates(head("a"), [a], arrived={a.checkpoints[0].key})
    assert [c.proven for c in found] == [False, True]


def test_a_missing_file_of_the_holder_is_a_gap_and_the_way_back_goes_on():
    a = session("a", 1, (100,))
    lineage = trace(head("b", "a", "b"), [a])
    assert "session b" in lineage.gaps[0]
    assert [link.session.id for link in lineage.links] == ["a"]


def test_a_missing_file_in_between_is_a_gap_and_the_holder_before_is_found():
    a, c = session("a", 1, (100,)), session("c", 3, after=("b", 150))
    found = trace(head("c", "a", "b", "c"), [a, c])
    assert len(found.gaps) == 1
    assert order(resume_candidates(head("c", "a", "b", "c"), [a, c])) == [("a", 100)]


def test_circles_end_and_are_named():
    a, b = session("a", 1, (100,), after=("b", 200)), session("b", 2, (200,), after=("a", 100))
    found = trace(head("b", "a", "b"), [a, b])
    assert [link.session.id for link in found.links] == ["b", "a"]
    assert "comes after it" in found.gaps[0]
    own = session("a", 1, (100,), after=("a", 100))
    assert trace(head("a"), [own]).gaps


def test_a_checkpoint_no_longer_listed_hides_only_itself_and_what_came_later():
    a = session("a", 1, (100, 200, 300))
    a = replace(a, checkpoints=(a.checkpoints[0], a.checkpoints[2]))
    b = session("b", 2, after=("a", 200))
    assert order(resume_candidates(head("b", "a", "b"), [a, b])) == [("a", 100)]


def test_without_sessions_there_is_nothing_to_resume_and_no_leg():
    assert resume_candidates(head(None), []) == []
    assert resume_candidates(head("ghost"), []) == []
    assert legs(head(None), []) == []


def test_the_trunk_counts_each_session_up_to_where_its_successor_continued():
    a, b, c = session("a", 1, (100,)), session("b", 2, (200,), after=("a", 100)), session("c", 3, after=("b", 200))
    found = legs(head("c", "a", "b", "c"), [c, a, b])
    assert [(leg.session, leg.role, leg.end_row) for leg in found] == [
        ("a", Role.TRUNK, 100),
        ("b", Role.TRUNK, 200),
        ("c", Role.TRUNK, None),
    ]
    assert [leg.superseded_by for leg in found] == ["b", "c", None]


def test_a_holder_that_died_without_a_checkpoint_is_superseded_whole():
    a = session("a", 1, (100,))
    b, c = session("b", 2, after=("a", 100), step=150), session("c", 3, (180,), after=("a", 100))
    last = legs(head("c", "a", "b", "c"), [a, b, c])[-1]
    assert (last.session, last.role, last.end_row, last.superseded_by) == ("b", Role.SUPERSEDED, 0, "c")


def test_a_branch_says_where_it_left():
    a, b = session("a", 1, (100, 200)), session("b", 2, (150,), after=("a", 100), branch="began offline")
    branch = legs(head("a", "a", "b"), [a, b])[-1]
    assert (branch.role, branch.began_from, branch.began_step, branch.began_row) == (Role.BRANCH, "a", 100, 100)


def test_a_run_begun_again_because_nothing_was_saved_draws_the_first_try_as_superseded():
    a, b = session("a", 1, step=5), session("b", 2, (50,))
    assert [(leg.session, leg.role, leg.end_row) for leg in legs(head("b", "a", "b"), [a, b])] == [
        ("a", Role.SUPERSEDED, 0),
        ("b", Role.TRUNK, None),
    ]


def test_a_holder_that_has_done_nothing_yet_leaves_the_story_as_it_was():
    a, b = session("a", 1, (100,), step=120), session("b", 2)
    assert [(leg.session, leg.end_row) for leg in legs(head("b", "a", "b"), [a, b])] == [("a", None), ("b", None)]


def test_work_at_risk_is_what_no_durable_checkpoint_holds():
    a = session("a", 1, (100,), step=140)
    assert work_at_risk(a) == (40, 20.0)
    handed_over = replace(a, checkpoints=(listing("a", 100, proven=False),))
    assert work_at_risk(handed_over) == (140, 70.0)
    assert work_at_risk(handed_over, arrived={handed_over.checkpoints[0].key}) == (40, 20.0)
    assert work_at_risk(session("b", 2, after=("a", 100), step=130)) == (30, 65.0)
