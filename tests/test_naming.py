"""Names are safe on every system, and nothing that comes from a store leads out of it."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core import naming
from batonpass.core.errors import FormatError


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(naming).failed == 0


@given(st.text())
def test_any_text_makes_a_legal_slug(text):
    slug = naming.slugify(text)
    assert naming.check_part(slug) == slug
    assert naming.parse_run_folder(f"{slug}-0011aabb") == (slug, "0011aabb")


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "a\\b", "CON", "nul.txt", "x\n", "-rf", "a..b", "C:", "é"])
def test_a_part_that_could_lead_elsewhere_is_refused(part):
    with pytest.raises(FormatError):
        naming.check_part(part)
