import pytest
from drive_emulator.fixtures import account, drive, drive_settings, emulator, emulator_process, open_drive, temper
from drive_emulator.guard import trespasses
from drive_emulator.person import person

__all__ = [
    "account",
    "drive",
    "drive_settings",
    "emulator",
    "emulator_process",
    "open_drive",
    "person",
    "temper",
    "trespasses",
]


@pytest.fixture(autouse=True)
def _nothing_forbidden(trespasses):
    """Every test about Drive runs under this watch."""
