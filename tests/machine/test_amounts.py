"""Amounts read as their examples say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from batonpass.core import amounts
from batonpass.core.gpu import catalogue
from batonpass.streamlit_app import wording


@pytest.mark.parametrize("module", [amounts, catalogue, wording])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("count_bytes", [0, 999, 1000, 2048, 999_499, 999_600, 5 * 10**9, 7 * 10**13, 10**19])
def test_the_app_says_a_size_as_the_command_line_does(count_bytes: int):
    """Compared side by side, one checkpoint has one size."""
    assert wording.size(count_bytes) == amounts.size(count_bytes)
    assert "iB" not in amounts.size(count_bytes)
