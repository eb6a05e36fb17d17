"""Runs kept in a folder: of this disk, of a network share, or of a mounted Drive, whose rules `sync.mounts` knows.

An object's version is made of its content up to 1 MB, so that two writes within one tick of the file system's clock differ; above
that, of size, modification time in ns and inode. Conditional writes are decided under an operating-system lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from batonpass.core.clock import utc_now
from batonpass.core.errors import ConflictError, NotFoundError, NotOurFolderError, StoreError, StoreUnreachableError
from batonpass.core.files import durable_rename, make_folders, read_chunks, sync_file, temp_path
from batonpass.core.naming import check_key, check_prefix
from batonpass.core.storage import ABSENT, ObjectInfo, Properties, Transfer
from batonpass.sync.mounts import Mount
from batonpass.sync.stores.bodies import check_stop, send_chunks
from batonpass.sync.stores.folder_files import (
    describe,
    is_ours,
    remove_empty_folders,
    remove_old_temps,
    walk,
)
from batonpass.sync.stores.folder_lock import hold_lock
from batonpass.sync.stores.os_errors import is_missing, store_error

LOCK_FILE = ".batonpass.lock"

_DISK = Properties(proves_arrival=True, compare_and_swap=True, unique_keys=True, listing_lags=False, has_ids=False)
_MOUNT = Properties(
    proves_arrival=False,
    compare_and_swap=False,
    unique_keys=False,
    listing_lags=True,
    has_ids=False,
    may_answer_md5_only=True,
)


class FolderStore:
    """A store in a folder. The folder and its parents are made by the first write; of a mounted Drive only what lies below its floor."""

    def __init__(
        self,
        root: Path,
        *,
        mount: Mount | None = None,
        lock_file: Path | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`lock_file` is where writers of this machine meet; by default a hidden file in the folder itself. A mount needs one
        elsewhere, because there it would be sent to the Drive.
        """
        self._root = root
        self._mount = mount
        self._lock_file = lock_file or root / LOCK_FILE
        self._now = now
        self._seen = False
        self._swept: set[Path] = set()

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    @property
    def root(self) -> Path:
        """The folder."""
        return self._root

    @property
    def properties(self) -> Properties:
        """A disk promises everything but ids; a mounted Drive answers from its cache, and `expect` is advisory there."""
        return _DISK if self._mount is None else _MOUNT

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        expect: str | None = None,
        store_id: str | None = None,  # noqa: ARG002  # a folder has no ids
        transfer: Transfer | None = None,
    ) -> ObjectInfo:
        """Write a whole object: a hidden file beside it, synced to the disk, then renamed over it."""
        path = self._path("put", key)
        with self._errors("put", key):
            self._require_root("put", key)
            temp, file = self._open_temp(path)
            try:
                with file:
                    for chunk in send_chunks(body, key=key, transfer=transfer):
                        file.write(chunk)
                    sync_file(file)
                info = describe(key, temp)
                with hold_lock(self._lock_file):
                    self._require_version(key, path, expect)
                    durable_rename(temp, path)
            except BaseException:
                temp.unlink(missing_ok=True)
                raise
        self._seen = True
        return info

    def get(self, key: str, *, store_id: str | None = None) -> bytes:  # noqa: ARG002
        """The content of a file."""
        with self._reading("get", key) as path:
            return path.read_bytes()

    def fetch(
        self,
        key: str,
        to: BinaryIO,
        *,
        store_id: str | None = None,  # noqa: ARG002
        offset: int = 0,
        transfer: Transfer | None = None,
    ) -> int:
        """Copy a file from `offset` into an open one. An OSError of `to` is the caller's own and passes through."""
        transfer = transfer or Transfer()
        with self._reading("fetch", key) as path:
            source = path.open("rb")
        written = 0
        with source:
            with self._errors("fetch", key):
                total = os.fstat(source.fileno()).st_size
                source.seek(offset)
            chunks = read_chunks(source)
            while True:
                check_stop(transfer, op="fetch", key=key)
                with self._errors("fetch", key):
                    chunk = next(chunks, b"")
                if not chunk:
                    return written
                to.write(chunk)
                written += len(chunk)
                transfer.on_progress(offset + written, total)

    def stat(self, key: str, *, store_id: str | None = None) -> ObjectInfo:  # noqa: ARG002
        """What the file system says; up to 1 MB the file is read, because its version is made of its content."""
        with self._reading("stat", key) as path:
            return describe(key, path)

    def checksum(self, key: str, *, store_id: str | None = None) -> ObjectInfo:  # noqa: ARG002
        """Both hashes of what the disk gives back now, past the system's cache where it lets go of it."""
        with self._reading("checksum", key) as path:
            return describe(key, path, hashes=True)

    def list_objects(self, prefix: str) -> list[ObjectInfo]:
        """Every file under a folder, in key order; hidden ones, links and what the system puts there are passed over."""
        found = []
        with self._listing(prefix) as folder:
            for key, path in walk(folder, prefix):
                try:
                    found.append(describe(key, path))
                except FileNotFoundError:
                    continue  # removed since the folder was read
        return sorted(found, key=lambda info: info.key)

    def list_folders(self, prefix: str) -> list[str]:
        """The folders directly under a folder, sorted."""
        names: list[str] = []
        with self._listing(prefix) as folder, os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_ours(entry) and entry.is_dir(follow_symlinks=False)]
        return sorted(names)

    def delete(self, key: str, *, store_id: str | None = None) -> None:  # noqa: ARG002
        """Remove a file and the folders it leaves empty. On a mount it is emptied first, so that the Drive's trash holds no bytes."""
        path = self._path("delete", key)
        with self._errors("delete", key):
            self._require_root("delete", key)
            if not path.is_file():
                return
            with hold_lock(self._lock_file):
                if self._mount is not None:
                    os.truncate(path, 0)
                path.unlink(missing_ok=True)
                remove_empty_folders(path.parent, self._root)

    def new_ids(self, count: int) -> list[str]:  # noqa: ARG002
        """None: files have no ids."""
        return []

    def now(self) -> datetime:
        """This machine's clock."""
        return self._now()

    def close(self) -> None:
        """Nothing is held open between calls."""

    def _path(self, op: str, key: str) -> Path:
        path = self._root
        for part in check_key(key).split("/"):
            path /= part
            if path.is_symlink():
                raise StoreError(
                    f"{path} is a link, which could lead anywhere",
                    op=op,
                    key=key,
                    hint="put the real folder in its place",
                )
        return path

    @contextmanager
    def _reading(self, op: str, key: str) -> Iterator[Path]:
        path = self._path(op, key)
        with self._errors(op, key):
            self._require_root(op, key)
            yield path
        self._seen = True

    @contextmanager
    def _listing(self, prefix: str) -> Iterator[Path]:
        folder = self._path("list", prefix.removesuffix("/")) if check_prefix(prefix) else self._root
        try:
            with self._errors("list", prefix):
                self._require_root("list", prefix)
                yield folder
        except NotFoundError:
            return  # a folder appears with its first object
        self._seen = True

    @contextmanager
    def _errors(self, op: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            not_there = is_missing(error) or isinstance(error, IsADirectoryError)
            if not_there:
                self._require_root(op, key)
                self._require_folder(op, key)
            if not not_there or op == "put":
                raise store_error(error, op=op, key=key, place=str(self._root)) from error
            raise NotFoundError(f"{key} is not in {self._root}", op=op, key=key) from error

    def _require_root(self, op: str, key: str) -> None:
        """Nothing is "not there" while the whole disk or mount is gone, and nothing may be created in its place."""
        try:
            if self._mount is not None:
                self._mount.require_live()
            if not self._seen:
                return
            self._root.stat()
        except (OSError, NotOurFolderError) as error:
            if isinstance(error, NotOurFolderError) and not self._seen:
                raise
            if isinstance(error, OSError) and not is_missing(error):
                raise store_error(error, op=op, key=key, place=str(self._root)) from error
            raise StoreUnreachableError(
                f"{self._root} was there and is gone",
                op=op,
                key=key,
                hint="reconnect the disk or mount the Drive again",
            ) from error

    def _require_folder(self, op: str, key: str) -> None:
        """A file in the root's place holds nothing, and is no empty store either."""
        if self._root.is_file():
            raise StoreUnreachableError(
                f"{self._root} is a file, not a folder", op=op, key=key, hint="name the folder where the runs are kept"
            )

    def _require_version(self, key: str, path: Path, expect: str | None) -> None:
        if expect is None:
            return
        try:
            found = describe(key, path).version
        except FileNotFoundError:
            found = ABSENT
        if found != expect:
            raise ConflictError(f"{key} is {found}, not {expect}", op="put", key=key, hint="read it again, then decide")

    def _open_temp(self, path: Path) -> tuple[Path, BinaryIO]:
        """A hidden file beside the final one. Tried again when another writer just removed the folder because it was empty."""
        floor = self._mount.floor if self._mount else None
        for attempt in range(5):
            make_folders(path.parent, floor=floor)
            temp = temp_path(path)
            try:
                if path.parent not in self._swept:
                    remove_old_temps(path.parent, self._now())
                    self._swept.add(path.parent)
                return temp, temp.open("xb")
            except FileNotFoundError:
                if attempt == 4:
                    raise
        raise AssertionError("the loop returns or raises")
