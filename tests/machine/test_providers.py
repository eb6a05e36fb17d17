"""Where am I: decided from what a process sees, with Kaggle before Colab."""

from __future__ import annotations

import pytest

from batonpass.core.gpu.catalogue import catalogue
from batonpass.core.providers import PROVIDERS, find_provider, provider_of

COLAB_IMAGE = {"COLAB_RELEASE_TAG": "release-colab-external_20260819", "COLAB_GPU": "1"}


def find(environment=None, paths=(), modules=()):
    return find_provider(environment or {}, set(paths).__contains__, set(modules))


@pytest.mark.parametrize(
    ("environment", "paths", "modules", "expected"),
    [
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, (), (), "kaggle"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, (), (), "kaggle"),
        ({}, ("/kaggle/working",), (), "kaggle"),
        # Kaggle's image is built on Colab's, so that everything of Colab's may be there as well
        (COLAB_IMAGE, ("/kaggle/working", "/var/colab/hostname"), ("google.colab", "google.colab._shell"), "kaggle"),
        ({**COLAB_IMAGE, "KAGGLE_KERNEL_RUN_TYPE": "Batch"}, ("/var/colab/hostname",), (), "kaggle"),
        ({**COLAB_IMAGE, "VERTEX_PRODUCT": "COLAB_ENTERPRISE"}, ("/var/colab/hostname",), (), "colab-enterprise"),
        (COLAB_IMAGE, ("/var/colab/hostname",), (), "colab"),
        ({}, (), ("google.colab._shell",), "colab"),
        ({"LIGHTNING_CLOUD_SPACE_ID": "01abc"}, (), (), "lightning"),
        ({}, ("/home/studio-lab-user",), (), "studio-lab"),
        ({"PAPERSPACE_FQDN": "x"}, (), (), "paperspace"),
        ({}, (), (), "other"),
        (COLAB_IMAGE, (), (), "other"),  # Colab's published image, run on one's own computer
        ({}, (), ("google.colab",), "other"),  # a stand-in module proves nothing
    ],
)
def test_the_provider_is_recognised_from_inside(environment, paths, modules, expected):
    assert find(environment, paths, modules) == expected


def test_every_provider_that_can_be_found_or_offers_a_card_is_known_by_name():
    assert {o.provider for e in catalogue() for o in e.offers} <= set(PROVIDERS)
    assert provider_of("colab").name == "Colab"


def test_a_provider_of_a_newer_version_goes_by_its_id():
    assert provider_of("moonbase").name == "moonbase"
