"""Brings a checkpoint from the store to this disk, every byte checked against its manifest; whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from batonpass.core import naming
from batonpass.core.codec import decode
from batonpass.core.errors import CorruptCheckpointError
from batonpass.core.files import durable_rename, sync_folder
from batonpass.core.model import CheckpointListing, FileEntry, Manifest
from batonpass.core.storage import Store, Transfer
from batonpass.sync.local import MANIFEST


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """Told while files arrive: which one, and how many bytes of how many in all."""

    say: Callable[[str, int, int], None] = field(default=lambda _file, _done_bytes, _total_bytes: None)


def fetch_checkpoint(
    store: Store, folder: str, listing: CheckpointListing, to: Path, *, progress: RestoreProgress | None = None
) -> tuple[Path, Manifest]:
    """Download a checkpoint into `to/<name>` (made; must not exist yet) and return that folder and its manifest.

    CorruptCheckpointError when bytes differ from the manifest at two readings; NotFoundError when the store says that a part does
    not exist (on a folder: has not arrived); any other StoreError as it comes. Nothing half is left behind.
    """
    content = _read_twice(store, listing)
    manifest = decode(Manifest, content, key=listing.key)
    for entry in manifest.files:
        naming.check_part(entry.pool)
        naming.check_file_name(entry.name)
    name = naming.checkpoint_name(manifest.step, manifest.session, manifest.attempt)
    to.mkdir(parents=True, exist_ok=True)
    partial = to / f".arriving-{uuid.uuid4().hex[:8]}"
    partial.mkdir()
    try:
        done = 0
        for entry in manifest.files:
            _fetch_file(store, folder, entry, partial, done, manifest.size_bytes, progress or RestoreProgress())
            done += entry.size_bytes
        (partial / MANIFEST).write_bytes(content)
        sync_folder(partial)
        target = to / name
        durable_rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target, manifest


def _read_twice(store: Store, listing: CheckpointListing) -> bytes:
    """The manifest's bytes; a mismatch counts only when a second read says the same."""
    for _ in range(2):
        content = store.get(naming.check_key(listing.key), store_id=listing.id)
        if hashlib.sha256(content).hexdigest() == listing.manifest_sha256:
            return content
    raise CorruptCheckpointError(
        f"the manifest of step {listing.step} is not the one that was published",
        hint="an older checkpoint is used; `batonpass verify` shows which files are damaged",
    )


def _fetch_file(
    store: Store, folder: str, entry: FileEntry, to: Path, done: int, total: int, progress: RestoreProgress
) -> None:
    target = to / entry.name
    target.parent.mkdir(parents=True, exist_ok=True)
    transfer = Transfer(on_progress=lambda sent, _all: progress.say(entry.name, done + sent, total))
    for _ in range(2):
        with target.open("wb") as out:
            store.fetch(naming.pool_file(folder, entry.pool), out, store_id=entry.id, transfer=transfer)
        if target.stat().st_size == entry.size_bytes and _sha256(target) == entry.sha256:
            return
    raise CorruptCheckpointError(
        f"{entry.name} on the store is not what the manifest says (read twice)",
        hint="an older checkpoint is used; `batonpass verify` shows which files are damaged",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
