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


def test_two_names_in_another_script_are_two_slugs():
    assert naming.slugify("котики") != naming.slugify("собаки")
    assert naming.slugify("猫") != naming.slugify("犬")
    assert naming.slugify("Crème brûlée") == "creme-brulee"


@pytest.mark.parametrize(
    "name",
    ["epoch=3-step=500.ckpt", "my model (best).pt", "checkpoint-500/optimizer.pt", "модель.safetensors", "a..b.pt"],
)
def test_other_trainers_file_names_stay_as_they_are(name):
    assert naming.check_file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../up.pt",
        "a/../b",
        "a//b",
        "a/",
        "C:x.pt",
        "a\\b",
        "nul.pt",
        "CON",
        "a\n.pt",
        "x ",
        "x.",
        ".hidden",
        "a\u202eb",
        "\ud800",
    ],
)
def test_a_file_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(FormatError):
        naming.check_file_name(name)
