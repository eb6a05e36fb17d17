"""What kind of trouble an error is and when a lane tries again: each kind of Drive's errors has its row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core import errors
from batonpass.core.trouble import POLICIES, Kind, kind_of, wait_s

ROWS = [
    (errors.StoreUnreachableError("x"), Kind.LATER),
    (errors.StoreThrottledError("x"), Kind.THROTTLED),
    (errors.StoreFullError("x"), Kind.FULL),
    (errors.SignInError("x"), Kind.NEEDS_LOGIN),
    (errors.StoreError("x"), Kind.REFUSED),
    (errors.NotOurFolderError("x"), Kind.REFUSED),
    (errors.NotFoundError("x"), Kind.MISSING),
    (errors.ConflictError("x"), Kind.CONFLICT),
    (OSError("x"), Kind.FAILED),
]


@pytest.mark.parametrize(("error", "kind"), ROWS)
def test_each_error_has_its_kind(error, kind):
    assert kind_of(error) is kind


def test_every_kind_has_a_policy():
    assert set(POLICIES) == set(Kind)


def test_a_refusal_that_lasts_while_small_calls_work_is_the_daily_cap():
    slower = errors.StoreThrottledError("x")
    assert kind_of(slower, throttled_for_s=901.0, small_calls_work=True) is Kind.DAY_CAP
    assert kind_of(slower, throttled_for_s=901.0, small_calls_work=False) is Kind.THROTTLED
    assert kind_of(slower, throttled_for_s=899.0, small_calls_work=True) is Kind.THROTTLED
    assert kind_of(errors.StoreUnreachableError("x"), throttled_for_s=901.0, small_calls_work=True) is Kind.LATER


def test_a_full_store_is_probed_and_not_asked_in_a_loop():
    assert [wait_s(Kind.FULL, n) for n in (1, 2, 50)] == [600.0, 600.0, 600.0]


@given(st.sampled_from(list(Kind)), st.integers(1, 10_000), st.one_of(st.none(), st.floats(0.0, 7200.0)))
def test_no_wait_is_shorter_than_the_store_asked_for_and_none_grows_without_end(kind, failures, asked):
    wait = wait_s(kind, failures, retry_after_s=asked)
    assert (asked or 0.0) <= wait <= max(POLICIES[kind].longest_s, asked or 0.0)
    assert wait_s(kind, failures + 1, retry_after_s=asked) >= wait
