"""Fixtures: one emulator process for all tests, a fresh account for each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batonpass.core.settings import Settings
from batonpass.sync.stores.gdrive import GDriveStore, open_gdrive
from drive_emulator.process import Emulator, running


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator) -> Iterator[Emulator]:
    """The emulator, with no fault and no delay set, and its numbers at zero."""
    emulator_process.control("reset_log")
    yield emulator_process
    emulator_process.control("clear_faults")
    emulator_process.control("settings", list_lag_s=0, latency_s=0, clock_skew_s=0, page_limit=1000)
    emulator_process.control("settings", creates_per_s=0, link_bytes_per_s=0)
    emulator_process.control("temper", name="kind")
    emulator_process.control("consent", answer="yes")


@pytest.fixture(params=["kind", "strict"])
def temper(request: pytest.FixtureRequest, emulator: Emulator) -> str:
    """A test that asks for it runs in each temper of the emulator (temper.py)."""
    emulator.control("temper", name=request.param)
    return str(request.param)


@pytest.fixture
def account() -> str:
    """An account that nothing was ever stored on."""
    return f"ann-{secrets.token_hex(4)}@example.org"


@pytest.fixture
def drive_settings(emulator: Emulator, account: str, tmp_path: Path) -> Settings:
    """The settings of a process that is signed in to `account` with drive.file."""
    return Settings(home=tmp_path / "home", drive_token=emulator.token(account), drive_endpoint=emulator.url)


@pytest.fixture
def open_drive(drive_settings: Settings) -> Iterator[Callable[..., GDriveStore]]:
    """Opens stores as separate clients would (each with connections and memories of its own), and closes them."""
    opened: list[GDriveStore] = []

    def make(settings: Settings = drive_settings, url: str = "gdrive://batonpass") -> GDriveStore:
        opened.append(open_gdrive(url, settings))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def drive(open_drive: Callable[..., GDriveStore]) -> GDriveStore:
    """A store on an empty account."""
    return open_drive()
