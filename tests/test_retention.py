"""What stays and what goes: the golden examples can be read, the promises hold for any history."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.histories import ACTIONS, play
from retention_promises import broken_promises
from test_lineage import NOW, head, listing, session

from batonpass.core.errors import UsageError
from batonpass.core.retention import HANDED_OVER_FOR, Policy, plan_retention

LATER = NOW + timedelta(days=2)
GOLDEN = Path(__file__).parent / "golden" / "retention.json"


def relay():
    """Three sessions in a row, a lost branch and one in quarantine."""
    a = session("a", 1, (100, 200, 300, 900), branch="lost to b")
    b = session("b", 2, (400, 500, 600), after=("a", 300))
    c = session("c", 3, (700, 800), after=("b", 600))
    losses = {100: 0.9, 200: 0.1, 300: 0.5, 900: 0.4, 400: 0.45, 500: 0.2, 600: float("nan"), 700: 0.3, 800: 0.35}
    sessions = [
        replace(s, checkpoints=tuple(replace(e, metrics={"loss": losses[e.step]}) for e in s.checkpoints))
        for s in (a, b, c)
    ]
    sessions[2] = replace(sessions[2], quarantined=(sessions[1].checkpoints[1].key,))
    return head("c", "a", "b", "c"), sessions


POLICIES = {
    "default": Policy(),
    "last one": Policy(keep_last=1),
    "last and best low": Policy(best_by="loss", keep_best=2),
    "last and best high": Policy(keep_last=1, best_by="loss", best_is_low=False),
    "every 300": Policy(keep_last=1, every_steps=300),
    "milestones": Policy(keep_last=1, milestones=frozenset({100, 500})),
    "a budget of four": Policy(keep_last=3, every_steps=200, best_by="loss", budget_bytes=400),
    "a budget of two": Policy(keep_last=3, budget_bytes=200),
    "a metric nobody logged": Policy(keep_last=1, best_by="fid"),
}


def as_text(plan):
    return {
        "keep": {v.listing.key: list(v.reasons) for v in plan.keep},
        "remove": {v.listing.key: list(v.reasons) for v in plan.remove},
        "freed_bytes": plan.freed_bytes,
        "over_budget_bytes": plan.over_budget_bytes,
    }


@pytest.mark.parametrize("name", POLICIES)
def test_a_plan_is_the_one_in_the_golden_file(name):
    found_head, sessions = relay()
    plan = plan_retention(found_head, sessions, POLICIES[name], now=LATER)
    assert as_text(plan) == json.loads(GOLDEN.read_text())[name]


def kept(plan):
    return [(v.session, v.listing.step) for v in plan.keep]


def test_a_budget_below_two_checkpoints_is_refused_with_the_number():
    found_head, sessions = relay()
    with pytest.raises(UsageError, match="200 bytes"):
        plan_retention(found_head, sessions, Policy(budget_bytes=199), now=LATER)


@pytest.mark.parametrize("policy", [Policy(keep_last=0), Policy(keep_best=-1), Policy(every_steps=0)])
def test_a_policy_that_means_nothing_is_refused(policy):
    with pytest.raises(UsageError):
        plan_retention(*relay(), policy, now=LATER)


def test_what_a_session_restores_from_stays_until_it_has_its_own():
    a, b = session("a", 1, (5000,)), session("b", 2, after=("a", 5000), branch="began offline")
    a = replace(a, checkpoints=(*a.checkpoints, *(listing("a", s) for s in (5100, 5200, 5300))))
    sessions, found_head = [a, b], head("a", "a", "b")
    assert ("a", 5000) in kept(plan_retention(found_head, sessions, Policy(keep_last=2), now=LATER))
    sessions[1] = replace(b, checkpoints=(listing("b", 5050),))
    assert ("a", 5000) not in kept(plan_retention(found_head, sessions, Policy(keep_last=2), now=LATER))


def test_a_newer_one_whose_arrival_is_not_proven_does_not_free_the_newest_durable_one():
    a = session("a", 1, (100,))
    a = replace(a, checkpoints=(*a.checkpoints, *(listing("a", s, proven=False) for s in (200, 300, 400, 500))))
    plan = plan_retention(head("a"), [a], Policy(keep_last=1), now=LATER)
    assert ("a", 100) in kept(plan)


def test_without_receipts_one_goes_only_after_three_newer_ones_the_oldest_an_hour_ago():
    a = replace(session("a", 1), checkpoints=tuple(listing("a", s, proven=False) for s in (1, 2, 3, 4)))
    soon, late = NOW + timedelta(minutes=5), NOW + timedelta(seconds=2) + HANDED_OVER_FOR
    assert len(plan_retention(head("a"), [a], Policy(keep_last=1), now=soon).keep) == 4
    assert kept(plan_retention(head("a"), [a], Policy(keep_last=1), now=late)) == [("a", 4), ("a", 3), ("a", 2)]
    proven = {a.checkpoints[3].key}
    assert kept(plan_retention(head("a"), [a], Policy(keep_last=1), now=soon, arrived=proven)) == [("a", 4)]


def test_a_request_removes_what_is_wanted_but_never_what_is_protected():
    a = session("a", 1, (100, 200, 300))
    keys = [e.key for e in a.checkpoints]
    plan = plan_retention(head("a"), [a], Policy(), now=LATER, asked=keys)
    assert kept(plan) == [("a", 300)]
    assert plan.remove[0].reasons == ("its removal was asked for",)


def test_the_one_protected_checkpoint_may_exceed_the_budget_and_it_is_said():
    a = session("a", 1, (100,))
    b = session("b", 2, after=("a", 100))
    quarantined = session("c", 3, (150, 160, 170), after=("a", 100))
    quarantined = replace(quarantined, quarantined=tuple(e.key for e in quarantined.checkpoints))
    plan = plan_retention(head("c", "a", "b", "c"), [a, b, quarantined], Policy(budget_bytes=200), now=LATER)
    assert len(plan.keep) == 4
    assert plan.over_budget_bytes == 200


def test_nothing_to_plan_is_an_empty_plan():
    assert plan_retention(head(None), [], Policy(budget_bytes=1), now=LATER).keep == ()


POLICY = st.builds(
    Policy,
    keep_last=st.integers(1, 4),
    best_by=st.sampled_from([None, "loss"]),
    best_is_low=st.booleans(),
    every_steps=st.none() | st.integers(1, 10),
    milestones=st.frozensets(st.integers(1, 20), max_size=3),
    budget_bytes=st.none() | st.integers(20, 100),
)


def random_history(actions, flags):
    """A history whose checkpoints are proven, handed over or quarantined as `flags` say."""
    history, _ = play(actions)
    every = [e.key for s in history.sessions for e in s.checkpoints]
    fate = {key: flags[i % len(flags)] for i, key in enumerate(every)}
    sessions = []
    for s in history.sessions:
        entries = tuple(
            replace(e, proven=fate[e.key] != "handed over", metrics={"loss": (e.step * 7) % 11 / 11})
            for e in s.checkpoints
        )
        bad = tuple(e.key for e in entries if fate[e.key] == "quarantined")
        sessions.append(replace(s, checkpoints=entries, quarantined=bad))
    return history.head, sessions


FLAGS = st.lists(st.sampled_from(["proven", "proven", "handed over", "quarantined"]), min_size=1, max_size=7)


def without(sessions, plan):
    gone = {v.listing.key for v in plan.remove}
    return [replace(s, checkpoints=tuple(e for e in s.checkpoints if e.key not in gone)) for s in sessions]


@given(ACTIONS, FLAGS, POLICY, st.integers(0, 120))
@settings(max_examples=300, deadline=None)
def test_every_promise_of_retention_holds_on_any_history(actions, flags, policy, minutes):
    found_head, sessions = random_history(actions, flags)
    now = NOW + timedelta(minutes=minutes)
    plan = plan_retention(found_head, sessions, policy, now=now)
    assert list(broken_promises(found_head, sessions, policy, plan)) == []


@given(ACTIONS, FLAGS, POLICY)
@settings(max_examples=200, deadline=None)
def test_a_plan_applied_twice_has_nothing_left_to_do_and_the_resume_point_stays(actions, flags, policy):
    from batonpass.core.lineage import resume_candidates

    found_head, sessions = random_history(actions, flags)
    first = plan_retention(found_head, sessions, policy, now=LATER)
    after = without(sessions, first)
    assert plan_retention(found_head, after, policy, now=LATER).remove == ()

    def durable(candidates):
        return next((c.key for c in candidates if c.proven and not c.passed_over), None)

    assert durable(resume_candidates(found_head, after)) == durable(resume_candidates(found_head, sessions))


def test_a_plan_that_forgets_the_protection_is_noticed(monkeypatch):
    a = session("a", 1, (5000, 5100, 5200))
    b = session("b", 2, after=("a", 5000), branch="began offline")
    monkeypatch.setattr("batonpass.core.retention._protected", lambda *_: {})
    plan = plan_retention(head("a", "a", "b"), [a, b], Policy(keep_last=1), now=LATER, asked={a.checkpoints[2].key})
    assert kept(plan) == []
