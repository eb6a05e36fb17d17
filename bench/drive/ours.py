"""Our store opened in the measure's own process, for what needs no process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batonpass.core.settings import Settings
from batonpass.sync.stores.gdrive import GDriveStore, open_gdrive
from batonpass.sync.stores.retry import RetryStore
from drive.ground import Ground


@contextmanager
def opened(
    ground: Ground, account: str, home: Path, *, wait: Callable[[float], bool] = lambda _seconds: False
) -> Iterator[tuple[GDriveStore, RetryStore]]:
    """A store on the account, and the same with tries that do not take the time of their waits."""
    settings = Settings(home=home, drive_token=ground.emulator.token(account), drive_endpoint=ground.emulator.url)
    store = open_gdrive("gdrive://batonpass", settings)
    try:
        yield store, RetryStore(store, wait=wait)
    finally:
        store.close()
