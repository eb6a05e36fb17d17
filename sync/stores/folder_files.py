"""What a folder store says about the files of its folder, and how it tidies up after itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from batonpass.core.files import TEMP_PREFIX, Hasher, read_chunks
from batonpass.core.storage import ObjectInfo

SMALL_BYTES = 1_000_000
"""Up to here a version is made of the content."""
TEMP_OLD = timedelta(days=1)

_SYSTEM_FILES = {"desktop.ini", "thumbs.db", "icon\r"}
"""What Windows, macOS and Drive for desktop put into any folder by themselves, in lower case."""


def describe(key: str, path: Path, *, hashes: bool = False) -> ObjectInfo:
    """One file as the store's answer; with `hashes` its bytes are read back from the disk. OSError as `open`."""
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        modified = datetime.fromtimestamp(facts.st_mtime, UTC)
        sha256: str | None = None
        if hashes:
            _forget_cache(file)
            hasher = Hasher(md5=False)
            for chunk in read_chunks(file):
                hasher.update(chunk)
            sha256 = hasher.digest().sha256
        elif facts.st_size <= SMALL_BYTES:
            sha256 = hashlib.sha256(file.read()).hexdigest()
    if sha256 is not None and facts.st_size <= SMALL_BYTES:
        version = f"c{sha256[:32]}"
    else:
        version = f"f{facts.st_size:x}-{facts.st_mtime_ns:x}-{facts.st_ino:x}"
    return ObjectInfo(key, facts.st_size, version, modified, sha256=sha256)


def walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """(key, path) of every file below a folder, in no order. Links are never followed. OSError as `os.scandir`."""
    with os.scandir(folder) as entries:
        listed = [entry for entry in entries if is_ours(entry)]
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            try:
                yield from walk(Path(entry.path), f"{prefix}{entry.name}/")
            except FileNotFoundError:
                continue  # removed since its parent was read
        elif entry.is_file(follow_symlinks=False):
            yield f"{prefix}{entry.name}", Path(entry.path)


def is_ours(entry: os.DirEntry[str]) -> bool:
    """Whether a listing names it: not hidden, and not put there by the system itself."""
    return not entry.name.startswith(".") and entry.name.lower() not in _SYSTEM_FILES


def remove_old_temps(folder: Path, now: datetime) -> None:
    """Remove what writers that died left unfinished in a folder, once it has not grown for a day."""
    with os.scandir(folder) as entries:
        temps = [entry for entry in entries if entry.name.startswith(TEMP_PREFIX)]
    for entry in temps:
        try:
            if now - datetime.fromtimestamp(entry.stat().st_mtime, UTC) > TEMP_OLD:
                Path(entry.path).unlink()
        except FileNotFoundError:
            continue  # its writer, or another sweeper, was faster


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Remove a folder and its parents below `root` as far as nothing lies in them."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return  # something lies in it, or another writer removed it: both are fine
        folder = folder.parent


def _forget_cache(file: BinaryIO) -> None:
    """Ask the system to drop its cached pages of a file, so that the next read comes from the disk. A hint, where it exists."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
