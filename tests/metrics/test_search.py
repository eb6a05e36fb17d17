"""Metrics found by a pattern, whatever the pattern and the names are."""

from __future__ import annotations

import pytest

from batonpass.core.errors import UsageError
from batonpass.core.metrics.search import LONGEST_PATTERN, find_names

NAMES = ["loss", "val/loss", "Accuracy", "a" * 5000 + "b", "\ud800 lone", ""]


def test_a_pattern_finds_names_in_their_order_and_in_any_case():
    assert find_names(NAMES, "loss|acc") == ["loss", "val/loss", "Accuracy"]
    assert find_names(NAMES, "^loss$") == ["loss"]
    assert find_names([], "x") == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b$", "(.*a){20}", "(a?){50}a{50}"])
def test_a_pattern_that_would_hang_a_backtracking_engine_is_answered(pattern):
    """Python's own engine would be busy with the first of them until the machine is switched off."""
    find_names(["a" * 300, *NAMES], pattern)


@pytest.mark.parametrize("pattern", ["(", "*a", "[", r"\1", "(?=x)", "a{100000}", "x" * (LONGEST_PATTERN + 1)])
def test_what_is_no_pattern_is_said_with_a_way_on(pattern):
    with pytest.raises(UsageError) as caught:
        find_names(NAMES, pattern)
    assert caught.value.hint


def test_a_lone_surrogate_is_searched_for_without_an_error():
    assert find_names(NAMES, "\ud800") == ["\ud800 lone"]
