"""What is said to be tested is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from batonpass.core.snippets import Target
from batonpass.core.snippets.proofs import TESTED

TESTS = "\n".join(p.read_text("utf-8") for p in Path(__file__).parent.glob("test_re*.py"))


@pytest.mark.parametrize("target", list(Target))
def test_each_target_names_a_test_that_is_there_and_is_about_it(target: Target):
    _, name = TESTED[target]
    found = re.search(rf"((?:@pytest[^\n]*\n)*)\s*def {name}\(", TESTS)
    assert found, name
    assert target is Target.TORCH or f"Target.{target.name}" in found[1]


@pytest.mark.parametrize("target", [Target.HF, Target.LIGHTNING])
def test_a_cell_that_no_test_executes_is_not_called_executed(target: Target):
    assert "not executed" in TESTED[target][0]
