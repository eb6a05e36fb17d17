"""What a `put` sends: bytes, or a local file that is streamed from any offset."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from batonpass.core.errors import StoreError
from batonpass.core.files import CHUNK_BYTES, Digest
from batonpass.core.storage import Transfer
from batonpass.sync.drive.pace import Pace
from batonpass.sync.stores.bodies import body_digest, body_size, check_stop


class Payload:
    """`body` and its length in bytes. StoreError (permanent) where the local file cannot be read."""

    def __init__(self, body: bytes | Path, key: str) -> None:
        self.body = body
        self.key = key
        self.size_bytes = body_size(body, key=key)

    @cached_property
    def digest(self) -> Digest:
        """Hashes of the body: read only where an answer has to be recognised."""
        return body_digest(self.body, key=self.key)

    def equals(self, resource: dict[str, Any]) -> bool:
        """Whether Drive holds these very bytes."""
        if int(resource.get("fileSize", -1)) != self.size_bytes:
            return False
        return bool(resource.get("md5Checksum") == self.digest.md5)

    def read(self) -> bytes:
        """All of it; for small bodies."""
        return self.body if isinstance(self.body, bytes) else self.body.read_bytes()

    @contextmanager
    def stream(self, offset: int, transfer: Transfer, pace: Pace | None = None) -> Iterator[Stream]:
        """The bytes from `offset` on, as a request's body, handed out no faster than `pace`."""
        with io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body.open("rb") as file:
            file.seek(offset)
            yield Stream(file, offset, self.size_bytes, transfer, self.key, pace or Pace())


class Stream:
    """A request's body of known length that asks `should_stop` and tells `on_progress` as it is read."""

    def __init__(self, file: BinaryIO, offset: int, total: int, transfer: Transfer, key: str, pace: Pace) -> None:
        self._file = file
        self._at = offset
        self._told = offset
        self._total = total
        self._length = total - offset
        self._transfer = transfer
        self._key = key
        self._pace = pace

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(CHUNK_BYTES):
            yield block

    def read(self, count: int = CHUNK_BYTES) -> bytes:
        """The next bytes. StoppedError when asked to stop, StoreError when the file became shorter."""
        if self._told != self._at:
            self._told = self._at
            self._transfer.on_progress(self._at, self._total)
        left = self._total - self._at
        if left == 0:
            return b""
        check_stop(self._transfer, op="put", key=self._key)
        block = self._file.read(min(count, left, self._pace.block_bytes))
        if not block:
            raise StoreError(f"the file for {self._key} became shorter while it was being sent", hint="try again")
        self._pace.take(len(block), self._transfer.should_stop)
        self._at += len(block)
        return block
