"""The store contract against the Drive that BATONPASS_DRIVE_TOKEN signs in to: `make test-live`. Its name keeps it out of `make test`.

Everything happens in one fresh folder of My Drive, which is removed for good at the end. Only that folder is touched.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from live.facts import Facts
from stores.suite import StoreContract

from batonpass.core.settings import Settings, read_settings
from batonpass.core.storage import Store
from batonpass.sync.drive.pydrive import PyDrive
from batonpass.sync.sign_in import find_credential
from batonpass.sync.stores.gdrive import GDriveStore, open_gdrive
from batonpass.sync.stores.retry import RetryStore

# Read here, because tests/conftest.py gives no test a setting from outside.
SETTINGS = read_settings()

pytestmark = pytest.mark.skipif(
    SETTINGS.drive_token is None,
    reason="BATONPASS_DRIVE_TOKEN is not set: run `batonpass login` and put what it writes there to test against your own Drive",
)


@pytest.fixture(scope="session")
def live_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return dataclasses.replace(SETTINGS, home=tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="session")
def parent(live_settings: Settings) -> Iterator[tuple[PyDrive, GDriveStore, str]]:
    """A fresh folder for this whole run; a store to take ids from; and the folder's id."""
    name = f"batonpass-test-{secrets.token_hex(4)}"
    drive = PyDrive(find_credential(live_settings), live_settings.drive_endpoint)
    ids = open_gdrive(f"gdrive://{name}", live_settings)
    (folder,) = ids.new_ids(1)
    drive.create_folder(folder, name, "root")
    yield drive, ids, folder
    drive.delete(folder)
    ids.close()
    drive.close()


@pytest.fixture
def plain(live_settings: Settings, parent: tuple[PyDrive, GDriveStore, str]) -> Iterator[GDriveStore]:
    """A store whose root is a new folder inside that one."""
    drive, ids, folder = parent
    (root,) = ids.new_ids(1)
    drive.create_folder(root, "root", folder)
    store = open_gdrive(f"gdrive://id:{root}", live_settings)
    yield store
    store.close()


@pytest.fixture
def store(plain: GDriveStore) -> Store:
    """With retry around it, as the product uses it: a real Drive asks for pauses."""
    return RetryStore(plain)


class TestThisDrive(StoreContract):
    """Every promise of the contract, kept by this account's Drive."""


def test_what_this_drive_answers(plain: GDriveStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the facts that the emulator has switches for; none of them is right or wrong."""
    lines = Facts(plain, tmp_path).lines()
    with capsys.disabled():
        print("\n".join(["", *lines]))
    assert len(lines) == 6
