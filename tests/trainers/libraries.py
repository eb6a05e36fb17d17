"""Whether a trainer's library is there: without it a test is skipped, with a reason, or fails where it was promised."""

from __future__ import annotations

import importlib.util
import os

import pytest

REQUIRED = bool(os.environ.get("BATONPASS_REQUIRE_TRAINERS"))  # read now: every test takes such variables away


def need(library):
    """Skip without it; fail where it was promised."""
    if importlib.util.find_spec(library) is not None:
        return
    if REQUIRED:
        pytest.fail(
            f"{library} is not installed, and BATONPASS_REQUIRE_TRAINERS is set: make test-trainers installs it"
        )
    pytest.skip(f"{library} is not installed: make test-trainers installs it")
