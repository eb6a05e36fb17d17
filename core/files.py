"""Files that survive a crash: writing, renaming and hashing on a local or mounted file system. Knows nothing of stores or formats."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
TEMP_PREFIX = ".batonpass-tmp-"
"""Every unfinished file's name begins with this: hidden, never listed, removed when old."""

_FOLDER_SYNC_UNKNOWN = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EISDIR}
_RENAME_TRIES = 10


@dataclass(frozen=True, slots=True)
class Digest:
    """What identifies a file's bytes: its length in bytes and two hashes, as lower-case hexadecimal digits."""

    size_bytes: int
    sha256: str
    md5: str
    """Empty where it was not asked for: it costs twice as much as sha256, and only Drive ever answers with nothing else."""


class Hasher:
    """Both hashes (or sha256 alone) and the length, in one pass over the bytes."""

    def __init__(self, *, md5: bool = True) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._size_bytes = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; a memoryview must be contiguous."""
        self._sha256.update(data)
        if self._md5 is not None:
            self._md5.update(data)
        self._size_bytes += data.nbytes if isinstance(data, memoryview) else len(data)

    def digest(self) -> Digest:
        """The digest of all bytes so far."""
        md5 = "" if self._md5 is None else self._md5.hexdigest()
        return Digest(self._size_bytes, self._sha256.hexdigest(), md5)


def hash_bytes(data: bytes) -> Digest:
    """The digest of bytes in memory."""
    hasher = Hasher()
    hasher.update(data)
    return hasher.digest()


def hash_file(path: Path, *, md5: bool = True) -> Digest:
    """The digest of a file, read from the disk in one pass through a small buffer. OSError as `open`."""
    hasher = Hasher(md5=md5)
    with path.open("rb") as file:
        for chunk in read_chunks(file):
            hasher.update(chunk)
    return hasher.digest()


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of an open file, `CHUNK_BYTES` at a time."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def temp_path(target: Path) -> Path:
    """A new name beside `target`, so that a rename between the two never crosses file systems."""
    return target.with_name(f"{TEMP_PREFIX}{secrets.token_hex(8)}")


def write_durably(target: Path, body: bytes) -> None:
    """Replace a file as a whole: after a crash at any moment it holds the old bytes or the new. OSError as the system gives it."""
    temp = temp_path(target)
    try:
        with temp.open("wb") as file:
            file.write(body)
            sync_file(file)
        durable_rename(temp, target)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


def durable_rename(source: Path, target: Path) -> None:
    """Give an already synced file (or folder) its final name, atomically, and make the new name survive a crash.

    A file at `target` is replaced; a folder there must be empty or absent. OSError as `os.replace`.
    """
    if sys.platform == "win32":
        replace_patiently(source, target)
    else:
        os.replace(source, target)  # noqa: PTH105  # the one place that replaces
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def replace_patiently(
    source: Path,
    target: Path,
    *,
    replace: Callable[[Path, Path], object] = os.replace,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Windows refuses to replace a file that a reader, an indexer or a virus scanner has open: try for about two seconds."""
    for attempt in range(_RENAME_TRIES):
        try:
            replace(source, target)
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            sleep(0.04 * (attempt + 1))
        else:
            return


def sync_file(file: BinaryIO) -> None:
    """Bring an open file's bytes to the disk (on macOS past the drive's own cache as well)."""
    file.flush()
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415  # not there on Windows

        try:
            fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(file.fileno())  # a network or FUSE file system without F_FULLFSYNC
    else:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash. Where the system cannot do this for folders (Windows, some mounts), nothing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _FOLDER_SYNC_UNKNOWN:
            raise
    finally:
        os.close(descriptor)


def make_folders(folder: Path, *, floor: Path | None = None) -> None:
    """Create a folder and its missing parents so that their names survive a crash. Existing ones are left alone.

    FileNotFoundError when this would have to create `floor`, a parent that somebody else must provide.
    """
    if folder.is_dir():
        return
    if folder == floor:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    if folder.parent != folder:
        make_folders(folder.parent, floor=floor)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
