"""Brings a checkpoint from the store to this disk, every byte checked against its manifest; whole or not at all. What a cut or a kill
left half arrived is continued by the next call, in this process or another.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from batonpass.core import naming
from batonpass.core.amounts import size
from batonpass.core.codec import decode
from batonpass.core.errors import CorruptCheckpointError, FormatError, StoreFullError
from batonpass.core.files import durable_rename, hash_file, sync_file, sync_folder
from batonpass.core.model import CheckpointListing, FileEntry, Manifest
from batonpass.core.storage import Store, Transfer
from batonpass.sync.local import MANIFEST
from batonpass.sync.packing import check_encoding, clear_packed, packed_path, unpack_file

PARTIAL_DAYS = 7
"""What half arrived so long ago and was not asked for again is removed."""
_PREFIX = ".arriving-"


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """Told while files arrive: which one, and how many bytes of how many in all."""

    say: Callable[[str, int, int], None] = field(default=lambda _file, _done_bytes, _total_bytes: None)


def fetch_checkpoint(
    store: Store,
    folder: str,
    listing: CheckpointListing,
    to: Path,
    *,
    partials: Path | None = None,
    progress: RestoreProgress | None = None,
) -> tuple[Path, Manifest]:
    """Download a checkpoint into `to/<name>` (made; one that is there already is checked and completed) and return that folder and its
    manifest.

    What has arrived when a call ends early stays hidden in `partials` (default `to`, on the same file system), under a name made of the
    manifest's hash, and is continued at its last byte.

    CorruptCheckpointError when bytes differ from the manifest at two readings; NotFoundError when the store says that a part does
    not exist (on a folder: has not arrived); StoreFullError when this disk has no room for it; any other StoreError as it comes.
    """
    content = _read_twice(store, listing)
    manifest = decode(Manifest, content, key=listing.key)
    for entry in manifest.files:
        naming.check_part(entry.pool)
        naming.check_file_name(entry.name)
        check_encoding(entry)
    name = naming.checkpoint_name(manifest.step, manifest.session, manifest.attempt)
    target = to / name
    to.mkdir(parents=True, exist_ok=True)
    with _partial_folder(partials or to, hashlib.sha256(content).hexdigest()) as partial:
        if target.is_dir() and not any(
            partial.iterdir()
        ):  # an earlier call brought it all and was cut off before it was used
            partial.rmdir()
            durable_rename(target, partial)
        _check_room(partial, manifest)
        try:
            done = 0
            for entry in manifest.files:
                total = manifest.stored_size_bytes
                _fetch_file(store, folder, entry, partial, done, total, progress or RestoreProgress())
                done += entry.stored.size_bytes
        except (CorruptCheckpointError, OSError):  # worth nothing, or in the way on a full disk
            shutil.rmtree(partial, ignore_errors=True)
            raise
        clear_packed(partial)
        (partial / MANIFEST).write_bytes(content)
        sync_folder(partial)
        durable_rename(partial, target)
    return target, manifest


@contextlib.contextmanager
def _partial_folder(partials: Path, digest: str) -> Iterator[Path]:
    """Where this checkpoint's files arrive: the folder that an earlier call left, or one of its own while another process uses that."""
    partials.mkdir(parents=True, exist_ok=True)
    _sweep(partials)
    partial = partials / f"{_PREFIX}{digest[:16]}"
    lock = FileLock(partial.with_name(f"{partial.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        mine = partials / f"{_PREFIX}{uuid.uuid4().hex[:16]}"
        mine.mkdir()
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)
        return
    try:
        partial.mkdir(exist_ok=True)
        yield partial
    finally:
        lock.release()


def _sweep(partials: Path) -> None:
    """Remove what was left half arrived long ago."""
    for old in partials.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else removes it too
            if time.time() - old.stat().st_mtime > PARTIAL_DAYS * 86400:
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def _check_room(partial: Path, manifest: Manifest) -> None:
    """StoreFullError before the first byte, where this disk cannot hold the last."""
    there = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file())
    packed = max((entry.packed.size_bytes for entry in manifest.files if entry.packed), default=0)
    missing, free = manifest.size_bytes + packed - there, shutil.disk_usage(partial).free
    if missing > free:
        raise StoreFullError(
            f"this disk has {size(free)} left and the rest of the checkpoint needs {size(missing)}",
            op="fetch",
            hint=f"make room on the disk that holds {partial.parent}",
        )


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
    """One file, continued after what is there of it, and unpacked where it was packed: all of a packed file arrives before that, because
    only then it can be continued after a cut. Begun anew once where the whole is not what the manifest promises.
    """
    plain, stored = to / entry.name, entry.stored
    if entry.packed and plain.is_file() and hash_file(plain, md5=False).sha256 == entry.sha256:
        return
    target = packed_path(to, entry) if entry.packed else plain
    target.parent.mkdir(parents=True, exist_ok=True)
    transfer = Transfer(on_progress=lambda sent, _all: progress.say(entry.name, done + sent, total))
    there = target.stat().st_size if target.is_file() else 0
    offsets = (there, 0, 0) if 0 < there <= stored.size_bytes else (0, 0)
    for offset in offsets:
        if offset < stored.size_bytes or not offset:
            with target.open("ab" if offset else "wb") as out:
                key = naming.pool_file(folder, entry.pool)
                store.fetch(key, out, store_id=entry.id, offset=offset, transfer=transfer)
        if hash_file(target, md5=False).sha256 == stored.sha256:
            if entry.packed:
                _unpack(target, plain, entry)
            return
    raise CorruptCheckpointError(
        f"{entry.name} on the store is not what the manifest says (read twice)",
        hint="an older checkpoint is used; `batonpass verify` shows which files are damaged",
    )


def _unpack(packed: Path, plain: Path, entry: FileEntry) -> None:
    """The packed bytes are those that were sent; what they unpack to is compared with the plain hash all the same."""
    plain.parent.mkdir(parents=True, exist_ok=True)
    try:
        with plain.open("wb") as out:
            sha256 = unpack_file(packed, entry.size_bytes, to=out).sha256
            sync_file(out)
    except FormatError as error:
        sha256 = error.message
    if sha256 != entry.sha256:
        raise CorruptCheckpointError(
            f"{entry.name} does not unpack to what the manifest says ({sha256[:60]})",
            hint="an older checkpoint is used; `batonpass verify` shows which files are damaged",
        )
    packed.unlink()
