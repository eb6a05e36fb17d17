"""Amounts read as their examples say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from batonpass.core import amounts
from batonpass.core.gpu import catalogue


@pytest.mark.parametrize("module", [amounts, catalogue])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
