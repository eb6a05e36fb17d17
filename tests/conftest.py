"""What every test gets: a home of its own, no settings from outside, and child processes that import this checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("BATONPASS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / ".typelink"))
