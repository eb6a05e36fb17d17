"""The emulated Drive for the front door's tests, and a kernel that forgets its open runs after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drive_emulator.fixtures import account, drive_settings, emulator, emulator_process
from drive_emulator.person import person

from batonpass import resuming, starting

__all__ = ["account", "drive_settings", "emulator", "emulator_process", "person"]


@pytest.fixture(autouse=True)
def _read_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "REREAD_AFTER_S", 0.0)


@pytest.fixture(autouse=True)
def _forget_open_runs() -> Iterator[None]:
    yield
    for run in list(starting._open_runs.values()):
        run._active.service.stop()
        run._active.joined.store.close()
    starting._open_runs.clear()
