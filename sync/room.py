"""How much space is left where a store keeps its bytes, and the copies that a syncing program left in a run's folder."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batonpass.core import naming
from batonpass.core.errors import StoreError
from batonpass.core.storage import Store
from batonpass.sync.mounts import conflicts
from batonpass.sync.stores.folder import FolderStore
from batonpass.sync.stores.retry import RetryStore


@dataclass(frozen=True, slots=True)
class Room:
    """In bytes. What others keep there counts too: this is the disk's or the Drive's own answer."""

    free_bytes: int
    total_bytes: int
    trash_bytes: int = 0
    """Of what is used, what lies in a Drive's trash: its owner can have it back by emptying that."""
    owner: str = ""
    """Whose Drive it is, as Drive says; empty on a disk."""


def read_room(store: Store) -> Room | None:
    """None where the store does not say, has no limit, or does not answer."""
    inner = store.inner if isinstance(store, RetryStore) else store
    if isinstance(inner, FolderStore):
        try:
            usage = shutil.disk_usage(inner.url)
        except OSError:
            return None
        return Room(usage.free, usage.total) if usage.total > 0 else None
    about = getattr(inner, "about", None)
    if about is None:
        return None
    try:
        return drive_room(about())
    except StoreError:
        return None


def drive_room(about: dict[str, Any]) -> Room | None:
    """From Drive's own words; None for an account without a limit, and for an answer that holds no numbers.

    >>> drive_room({"quotaBytesTotal": "100", "quotaBytesUsedAggregate": "30"})
    Room(free_bytes=70, total_bytes=100, trash_bytes=0, owner='')
    """
    try:
        total, used = int(about["quotaBytesTotal"]), int(about["quotaBytesUsedAggregate"])
    except (KeyError, TypeError, ValueError):
        return None
    if about.get("quotaType") == "UNLIMITED" or total <= 0:
        return None
    return Room(max(total - used, 0), total, _trash(about), _owner(about))


def _trash(about: dict[str, Any]) -> int:
    try:
        return max(0, int(about["quotaBytesUsedInTrash"]))
    except (KeyError, TypeError, ValueError):
        return 0


def _owner(about: dict[str, Any]) -> str:
    user = about.get("user")
    name = (user.get("emailAddress") or user.get("displayName")) if isinstance(user, dict) else None
    return name if isinstance(name, str) else ""


def conflict_copies(store: Store, folder: str) -> tuple[str, ...]:
    """Names of the copies in a run's folder and beside its sessions; none on a store that is no folder."""
    found: list[str] = []
    if isinstance(store, FolderStore):
        root = Path(store.url)
        for place in (root / folder, (root / naming.session_file(folder, "x")).parent):
            with contextlib.suppress(OSError):  # a folder that is gone holds no copies
                found += conflicts(place)
    return tuple(found)
