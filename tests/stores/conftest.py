"""The stores that go through the contract. A new store is one more entry in `MAKERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from drive_emulator.fixtures import account, drive, drive_settings, emulator, emulator_process, open_drive
from stores.faults import EveryOtherCallFails

from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.stores import open_store
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.memory import MemoryStore
from batonpass.sync.stores.retry import RetryStore

__all__ = ["account", "drive", "drive_settings", "emulator", "emulator_process", "open_drive"]

StoreRequest = pytest.FixtureRequest
"""Gives a maker whatever other fixtures it needs, by `getfixturevalue`."""


def make_memory(request: StoreRequest) -> Store:
    return MemoryStore(request.node.name)


def make_folder(request: StoreRequest) -> Store:
    return open_store(request.getfixturevalue("tmp_path") / "root" / "batonpass")


def make_mount(request: StoreRequest) -> Store:
    point: Path = request.getfixturevalue("tmp_path") / "drive"
    (point / "MyDrive").mkdir(parents=True)
    settings = Settings(home=request.getfixturevalue("tmp_path") / "home", mount_points=(point,))
    return open_store(point / "MyDrive" / "batonpass", settings)


def make_gdrive(request: StoreRequest) -> Store:
    return request.getfixturevalue("drive")


def make_strict_gdrive(request: StoreRequest) -> Store:
    """On a Drive that uses every freedom the documentation leaves it (drive_emulator/temper.py)."""
    request.getfixturevalue("emulator").control("temper", name="strict")
    return make_gdrive(request)


def retried(make: Callable[[StoreRequest], Store]) -> Callable[[StoreRequest], Store]:
    """The same store wrapped in retry, its every other call failing."""

    def made(request: StoreRequest) -> Store:
        faulty = EveryOtherCallFails(make(request))
        return RetryStore(cast("Store", faulty), wait=lambda _seconds: False, backoff=Backoff(limit_s=1e9))

    return made


MAKERS: dict[str, Callable[[StoreRequest], Store]] = {
    "memory": make_memory,
    "folder": make_folder,
    "gdrive": make_gdrive,
    "mount": make_mount,
    "retry(memory)": retried(make_memory),
    "retry(folder)": retried(make_folder),
    "retry(gdrive)": retried(make_gdrive),
    "gdrive (strict)": make_strict_gdrive,
    "retry(gdrive (strict))": retried(make_strict_gdrive),
}


@pytest.fixture(params=sorted(MAKERS))
def store(request: StoreRequest) -> Iterator[Store]:
    """A store with an empty root: each kind in turn."""
    made = MAKERS[request.param](request)
    yield made
    made.close()


@pytest.fixture
def memory(request: StoreRequest) -> Store:
    """An empty store in memory, for what does not depend on the kind."""
    return make_memory(request)
