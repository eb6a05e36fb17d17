"""What `import batonpass` promises is there, is documented, and is all there is."""

from __future__ import annotations

import inspect
import re

import pytest
from house.checkout import CHECKOUT

import batonpass

API = (CHECKOUT / "docs/API.md").read_text(encoding="utf-8")


def test_all_names_what_can_be_imported():
    assert all(getattr(batonpass, name) is not None for name in batonpass.__all__)


def test_all_is_sorted_and_dir_shows_it():
    assert list(batonpass.__all__) == sorted(batonpass.__all__)
    assert dir(batonpass) == sorted(batonpass.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error():
    for name in ("core_", "Session", "numpy"):
        assert not hasattr(batonpass, name)


def test_the_page_on_the_api_has_a_heading_for_each_public_name_and_for_no_other():
    assert set(re.findall(r"^## `bp\.(\w+)`$", API, re.MULTILINE)) == set(batonpass.__all__)


def test_the_page_on_the_api_names_every_public_member_of_a_run():
    members = {name for name in vars(batonpass.Run) if not name.startswith("_")}
    assert not [name for name in members if not re.search(rf"`{name}[`(]", API)]


@pytest.mark.parametrize("name", ["start", "watch", "restore", "adopt"])
def test_the_page_on_the_api_names_every_argument_of_a_function(name):
    (section,) = re.findall(rf"^## `bp\.{name}`$(.*?)(?=^## |\Z)", API, re.MULTILINE | re.DOTALL)
    arguments = inspect.signature(getattr(batonpass, name)).parameters
    assert not [argument for argument in arguments if not re.search(rf"\b{argument}\b", section)]


def test_the_page_on_the_api_names_every_variable_of_the_environment():
    source = (CHECKOUT / "core/settings.py").read_text(encoding="utf-8")
    assert not [name for name in set(re.findall(r"BATONPASS_\w+", source)) if f"`{name}`" not in API]
