"""The packed form of a checkpoint's files, beside them on this disk until it is on the store. Local checkpoints themselves stay plain."""

from __future__ import annotations

import errno
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from batonpass.core.errors import ConflictError, FormatError
from batonpass.core.files import (
    Digest,
    Hasher,
    durable_rename,
    hash_bytes,
    hash_file,
    make_folders,
    sync_file,
    temp_path,
)
from batonpass.core.model import FileEntry, Packed
from batonpass.core.shuffle import SHUFFLE_ZSTD, pack, unpack

WORTH = 0.97
"""A file that does not get smaller than this is sent as it is."""
SMALLEST_BYTES = 4096
"""Nothing is gained on a smaller file."""

_FOLDER = ".packed"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def is_packable(entry: FileEntry) -> bool:
    """Only where the widths of the numbers are known; another trainer's zip files are not."""
    return entry.name.endswith(".safetensors") and entry.size_bytes >= SMALLEST_BYTES


def is_begun(directory: Path, entry: FileEntry) -> bool:
    """Its packed form was made here already, maybe by a process that is gone."""
    return packed_path(directory, entry).exists()


def pack_file(
    directory: Path, entry: FileEntry, *, md5: bool, go_on: Callable[[], object] = lambda: None
) -> tuple[Path, FileEntry] | None:
    """The packed form of a checkpoint's file and its entry with `packed`; None where that is not worth it or this disk has no room.

    It appears whole or not at all and stays until `clear_packed`, so that the next process sends the very same bytes. Before they are
    used they are unpacked again: ConflictError where that does not give the plain sha256. OSError as the files give it; whatever
    `go_on`, called again and again, raises.
    """
    path = packed_path(directory, entry)
    if not path.exists():
        try:
            _write(directory / entry.name, path, directory, entry, go_on)
        except OSError as error:
            if error.errno in _NO_ROOM:
                return None
            raise
    if not path.stat().st_size:
        return None
    digest = hash_file(path, md5=md5)
    try:
        plain = unpack_file(path, entry.size_bytes, go_on=go_on)
    except FormatError:
        plain = None
    if plain is None or plain.sha256 != entry.sha256:
        path.unlink(missing_ok=True)
        raise ConflictError(
            f"the packed {entry.name} does not unpack to what its manifest promises",
            op="pack",
            hint="it is packed again",
        )
    return path, replace(entry, packed=Packed(SHUFFLE_ZSTD, digest.size_bytes, digest.sha256, digest.md5))


def unpack_file(
    path: Path, size_bytes: int, *, to: BinaryIO | None = None, go_on: Callable[[], object] = lambda: None
) -> Digest:
    """Unpack a file, into `to` where there is one; the sha256 of its plain bytes. FormatError when it is no packed file of that size."""
    hasher = Hasher(md5=False)
    with path.open("rb") as source:
        for piece in unpack(source, size_bytes=size_bytes):
            go_on()
            hasher.update(piece)
            if to is not None:
                to.write(piece)
    return hasher.digest()


def check_encoding(entry: FileEntry) -> None:
    """FormatError for a file packed in a way that this release does not know."""
    if entry.packed is not None and entry.packed.encoding != SHUFFLE_ZSTD:
        raise FormatError(
            f"{entry.name} was packed by a newer version of Batonpass ({entry.packed.encoding!r:.40})",
            hint="update Batonpass on this machine: pip install -U with the wheel in the store's agent folder",
        )


def unpacked(entry: FileEntry, stored: bytes) -> bytes:
    """The plain bytes of a file in memory, given what the pool holds. FormatError when they are not those of the manifest."""
    if entry.packed is None:
        return stored
    check_encoding(entry)
    plain = b"".join(unpack(io.BytesIO(stored), size_bytes=entry.size_bytes))
    if hash_bytes(plain).sha256 != entry.sha256:
        raise FormatError(
            f"{entry.name} does not unpack to what its manifest promises",
            hint="`batonpass verify --read` shows which files are damaged",
        )
    return plain


def clear_packed(directory: Path) -> None:
    """All of it is on the store."""
    shutil.rmtree(directory / _FOLDER, ignore_errors=True)


def packed_path(directory: Path, entry: FileEntry) -> Path:
    """Where the packed form of a checkpoint's file lies on this disk while it comes or goes."""
    return directory / _FOLDER / f"{entry.name}.zst"


def _write(plain: Path, path: Path, directory: Path, entry: FileEntry, go_on: Callable[[], object]) -> None:
    """Nothing but an empty file where packing is not worth it: so the next attempt need not find that out again."""
    with plain.open("rb") as source:
        make_folders(path.parent, floor=directory)
        temp = temp_path(path)
        try:
            with temp.open("wb") as target:
                pack(source, target, size_bytes=entry.size_bytes, go_on=go_on)
                if target.tell() > WORTH * entry.size_bytes:
                    target.seek(0)
                    target.truncate()
                sync_file(target)
            durable_rename(temp, path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise
