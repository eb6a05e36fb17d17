"""What changed around the code from one session to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from batonpass.core.drift import NOT_NOTED, Change, drift, drifts
from batonpass.core.model import Gpu, Host, ResumeRecord, Session

NOW = datetime(2026, 11, 23, tzinfo=UTC)
T4 = Gpu("Tesla T4", 15 * 2**30, "7.5", "580.95")


def session(name, hour=0, **more):
    began = NOW + timedelta(hours=hour)
    first = Session(
        name, "r", 1, "", Host("colab", "m", "1-1", "Linux x86_64", 2, 13 * 2**30), began, began, gpus=(T4,)
    )
    return replace(first, versions={"torch": "2.11.0", "python": "3.13.5"}, **more)


def test_only_what_differs_is_named_the_weightiest_first():
    after = replace(
        session("b"),
        versions={"torch": "2.12.0", "python": "3.13.5", "transformers": "5.0"},
        gpus=(replace(T4, driver="590.1"),),
        host=Host("colab", "m", "1-1", "Linux x86_64", 8, 13 * 2**30),
    )
    assert drift(session("a"), after) == (
        Change("torch", "2.11.0", "2.12.0"),
        Change("driver", "580.95", "590.1"),
        Change("CPU cores", "2", "8"),
        Change("transformers", NOT_NOTED, "5.0"),
    )


def test_equal_surroundings_have_no_drift():
    assert drift(session("a"), session("b", 5, step=400, trained_s=9.0)) == ()


def test_a_session_is_held_against_the_one_it_resumed_from():
    a, b = session("a"), session("b", 1)
    c = session("c", 2, resumed_from=ResumeRecord("a", "", 0, 0))
    assert [(before.id, after.id) for before, after, _ in drifts([c, b, a])] == [("a", "b"), ("a", "c")]


def test_a_session_that_claims_to_follow_itself_or_nobody_follows_the_one_before():
    a = session("a")
    b = session("b", 1, resumed_from=ResumeRecord("b", "", 0, 0))
    c = session("c", 2, resumed_from=ResumeRecord("nobody", "", 0, 0))
    assert [(before.id, after.id) for before, after, _ in drifts([a, b, c])] == [("a", "b"), ("b", "c")]


def test_absurd_sizes_are_words():
    odd = replace(session("b"), host=Host("colab", "m", "1-1", "", 2, 10**40))
    assert Change("RAM, GiB", "13", "not a size") in drift(session("a"), odd)
