"""Puts a recorded GPU in place of this machine's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from batonpass.sync import gpu


def _load_fake():
    spec = importlib.util.spec_from_file_location("fake_nvml", Path(__file__).parent / "fake_nvml.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def nvml(monkeypatch):
    """`nvml("t4")` makes `pynvml` replay that reading and returns the stand-in module."""
    monkeypatch.setattr(gpu, "_door", gpu._Door())

    def use(name):
        module = _load_fake().load(name)
        monkeypatch.setitem(sys.modules, "pynvml", module)
        return module

    return use
