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
from batonpass.sync.stores.bodies import body_digest, body_size, check_stop, unreadable


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

    @contextmanager
    def stream(self, offset: int, transfer: Transfer, pace: Pace | None = None) -> Iterator[Stream]:
        """The bytes from `offset` on, as a request's body, handed out no faster than `pace`."""
        with self._open() as file:
            file.seek(offset)
            yield Stream(self, file, offset, transfer, pace or Pace())

    def _open(self) -> BinaryIO:
        if isinstance(self.body, bytes):
            return io.BytesIO(self.body)
        try:
            return self.body.open("rb")
        except OSError as error:
            raise unreadable(self.body, self.key, error) from error


class Stream:
    """A request's body of known length that asks `should_stop` and tells `on_progress` as it is read."""

    def __init__(self, payload: Payload, file: BinaryIO, offset: int, transfer: Transfer, pace: Pace) -> None:
        self._payload = payload
        self._file = file
        self._at = offset
        self._told = offset
        self._total = payload.size_bytes
        self._length = payload.size_bytes - offset
        self._transfer = transfer
        self._pace = pace

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(CHUNK_BYTES):
            yield block

    def read(self, count: int = CHUNK_BYTES) -> bytes:
        """The next bytes. StoppedError when asked to stop, StoreError when the file became shorter or cannot be read."""
        if self._told != self._at:
            self._told = self._at
            self._transfer.on_progress(self._at, self._total)
        left = self._total - self._at
        if left == 0:
            return b""
        check_stop(self._transfer, op="put", key=self._payload.key)
        block = self._block(min(count, left, self._pace.block_bytes))
        if not block:
            raise StoreError(
                f"the file for {self._payload.key} became shorter while it was being sent", hint="try again"
            )
        self._pace.take(len(block), self._transfer.should_stop)
        self._at += len(block)
        return block

    def _block(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:  # requests would call it a broken connection
            assert isinstance(self._payload.body, Path), "bytes in memory do not fail"
            raise unreadable(self._payload.body, self._payload.key, error) from error
