"""Runs kept in this process's memory: for tests and trials, and gone with the process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from batonpass.core.clock import utc_now
from batonpass.core.errors import ConflictError, NotFoundError
from batonpass.core.files import CHUNK_BYTES, hash_bytes
from batonpass.core.naming import check_key, check_prefix
from batonpass.core.storage import ABSENT, ObjectInfo, Properties, Transfer
from batonpass.sync.stores.bodies import check_stop, send_chunks

_PROPERTIES = Properties(
    proves_arrival=True, compare_and_swap=True, unique_keys=True, listing_lags=False, has_ids=False
)


@dataclass(frozen=True, slots=True)
class _Entry:
    body: bytes
    version: str
    modified: datetime


@dataclass(slots=True)
class _Shelf:
    entries: dict[str, _Entry] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


_shelves: dict[str, _Shelf] = {}
_shelves_lock = threading.Lock()


class MemoryStore:
    """`memory://<name>`. All stores of one name in one process hold the same objects."""

    def __init__(self, name: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._name = name
        self._now = now
        with _shelves_lock:
            self._shelf = _shelves.setdefault(name, _Shelf())

    @property
    def url(self) -> str:
        """`memory://<name>`."""
        return f"memory://{self._name}"

    @property
    def properties(self) -> Properties:
        """Everything a store can promise, but for ids."""
        return _PROPERTIES

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        expect: str | None = None,
        store_id: str | None = None,  # noqa: ARG002  # there are no ids here
        transfer: Transfer | None = None,
    ) -> ObjectInfo:
        """Write a whole object, under the contract of `core.storage`."""
        check_key(key)
        content = b"".join(send_chunks(body, key=key, transfer=transfer))
        with self._shelf.lock:
            there = self._shelf.entries.get(key)
            found = ABSENT if there is None else there.version
            if expect is not None and expect != found:
                raise ConflictError(
                    f"{key} is {found}, not {expect}", op="put", key=key, hint="read it again, then decide"
                )
            entry = _Entry(content, f"m{next(self._shelf.versions)}", self._now())
            self._shelf.entries[key] = entry
        return _info(key, entry)

    def get(self, key: str, *, store_id: str | None = None) -> bytes:  # noqa: ARG002
        """The content of an object."""
        return self._entry("get", key).body

    def fetch(
        self,
        key: str,
        to: BinaryIO,
        *,
        store_id: str | None = None,  # noqa: ARG002
        offset: int = 0,
        transfer: Transfer | None = None,
    ) -> int:
        """Write an object from `offset` into an open file, in chunks."""
        body = self._entry("fetch", key).body
        transfer = transfer or Transfer()
        for start in range(offset, len(body), CHUNK_BYTES):
            check_stop(transfer, op="fetch", key=key)
            chunk = body[start : start + CHUNK_BYTES]
            to.write(chunk)
            transfer.on_progress(start + len(chunk), len(body))
        return max(0, len(body) - offset)

    def stat(self, key: str, *, store_id: str | None = None) -> ObjectInfo:  # noqa: ARG002
        """What is known about an object, without hashes."""
        return _info(key, self._entry("stat", key))

    def checksum(self, key: str, *, store_id: str | None = None) -> ObjectInfo:  # noqa: ARG002
        """Like `stat`, with both hashes of the bytes held here."""
        entry = self._entry("checksum", key)
        digest = hash_bytes(entry.body)
        return ObjectInfo(key, len(entry.body), entry.version, entry.modified, md5=digest.md5, sha256=digest.sha256)

    def list_objects(self, prefix: str) -> list[ObjectInfo]:
        """Every object under a folder, in key order."""
        check_prefix(prefix)
        with self._shelf.lock:
            return [_info(key, e) for key, e in sorted(self._shelf.entries.items()) if key.startswith(prefix)]

    def list_folders(self, prefix: str) -> list[str]:
        """The folders directly under a folder, sorted."""
        check_prefix(prefix)
        with self._shelf.lock:
            rests = [key.removeprefix(prefix) for key in self._shelf.entries if key.startswith(prefix)]
        return sorted({rest.split("/", maxsplit=1)[0] for rest in rests if "/" in rest})

    def delete(self, key: str, *, store_id: str | None = None) -> None:  # noqa: ARG002
        """Forget one object."""
        check_key(key)
        with self._shelf.lock:
            self._shelf.entries.pop(key, None)

    def new_ids(self, count: int) -> list[str]:  # noqa: ARG002
        """None: objects have no ids here."""
        return []

    def now(self) -> datetime:
        """The clock this store was made with."""
        return self._now()

    def close(self) -> None:
        """Nothing to release; the objects stay for the next store of this name."""

    def _entry(self, op: str, key: str) -> _Entry:
        check_key(key)
        with self._shelf.lock:
            entry = self._shelf.entries.get(key)
        if entry is None:
            raise NotFoundError(f"{key} is not on {self.url}", op=op, key=key)
        return entry


def _info(key: str, entry: _Entry) -> ObjectInfo:
    return ObjectInfo(key, len(entry.body), entry.version, entry.modified)
