"""The check of the install beside Colab's packages (bench/colab_install.py, which needs a network) judges a plan rightly."""

from __future__ import annotations

import importlib.util

from house.checkout import CHECKOUT

_spec = importlib.util.spec_from_file_location("colab_install", CHECKOUT / "bench/colab_install.py")
colab_install = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(colab_install)


def test_the_image_file_pins_each_package_to_one_version():
    pins = colab_install.read_pins(colab_install.IMAGE)
    assert len(pins) > 20
    assert pins["pydrive2"].startswith("1.21.1")
    assert all(version[0].isdigit() for version in pins.values())


def test_a_package_that_is_not_there_is_new_and_one_of_the_same_version_is_neither():
    assert colab_install.compare({"numpy": "2.1.3"}, {"numpy": "2.1.3", "cattrs": "26.2"}) == ({"cattrs": "26.2"}, {})


def test_another_version_of_what_is_there_is_a_change():
    assert colab_install.compare({"numpy": "2.1.3"}, {"numpy": "2.2"}) == ({}, {"numpy": ("2.1.3", "2.2")})


def test_every_preinstalled_package_that_the_base_install_names_keeps_its_version_in_our_bounds():
    from packaging.requirements import Requirement

    pins = colab_install.read_pins(colab_install.IMAGE)
    for text in colab_install.base_requirements():
        requirement = Requirement(text)
        version = pins.get(colab_install.canonical(requirement.name))
        assert version is None or requirement.specifier.contains(version), text
