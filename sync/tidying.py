"""Removes old checkpoints, on the store and on this disk, by the plan that `core.retention` makes. Manifests first, files later."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from batonpass.core import naming
from batonpass.core.model import Session
from batonpass.core.storage import Store
from batonpass.sync.local import LocalSession
from batonpass.sync.reading import RunFiles, read_manifest

GRACE_S = 24 * 3600.0
"""Files that no manifest names any more are removed only when they have lain there for so long, by the store's clock."""


def remove_manifests(store: Store, keys: Iterable[str]) -> None:
    """Remove manifests that no session's file lists any more. Their files stay until `remove_unreferenced`."""
    for key in keys:
        store.delete(naming.check_key(key))


def unreferenced_files(store: Store, run: RunFiles, *, grace_s: float = GRACE_S) -> list[tuple[str, int]]:
    """(key, bytes) of every pool file that no listed checkpoint of any session names and that is older than the grace period.

    `run` must have been read after the last manifest was removed. Any manifest that cannot be read stops it: nothing is guessed.
    """
    named = {
        naming.pool_file(run.folder, entry.pool)
        for seen in run.sessions
        for listing in seen.session.checkpoints
        for entry in read_manifest(store, listing.key, store_id=listing.id).files
    }
    oldest = store.now() - timedelta(seconds=grace_s)
    found = store.list_objects(f"{run.folder}files/")
    return [(info.key, info.size_bytes) for info in found if info.key not in named and info.modified < oldest]


def remove_files(store: Store, keys: Iterable[str]) -> None:
    """Remove pool files for good."""
    for key in keys:
        store.delete(naming.check_key(key))


def keep_newest_local(local: LocalSession, *, in_use: set[str], keep: int = 2) -> None:
    """Keep the newest committed checkpoints on this disk, and those that wait to be sent."""
    for path, _manifest in local.committed()[:-keep]:
        if path.name not in in_use:
            shutil.rmtree(path, ignore_errors=True)


def clear_partial(folder: Path) -> None:
    """Remove what a process left half-written when it died; only for a folder whose lock is held."""
    for path in folder.glob(".*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def protected_by_resumes(sessions: Iterable[Session]) -> set[str]:
    """Keys of checkpoints that a session continues from and that it has not replaced by a durable one of its own yet."""
    return {s.resumed_from.checkpoint for s in sessions if s.resumed_from is not None and not s.checkpoints}
