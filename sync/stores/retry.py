"""A store that tries again: the same protocol around any other store. Only errors that are not permanent are repeated, and a
conditional write whose answer was lost is looked up before it is sent again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from batonpass.core.errors import ConflictError, NotFoundError, StoreError
from batonpass.core.files import Digest
from batonpass.core.storage import ObjectInfo, Properties, Store, Transfer
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.bodies import body_digest, check_stop

T = TypeVar("T")


class RetryStore:
    """`inner`, tried again. Thread-safe as `inner` is."""

    def __init__(
        self,
        inner: Store,
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        draw: Callable[[], float] = random.random,
        on_failure: Callable[[StoreError, float], None] = lambda _error, _delay_s: None,
    ) -> None:
        """`wait` sleeps for seconds and returns True when it was ended early (as `threading.Event().wait` does): then the tries end.
        By default `close` ends it.

        `clock` gives seconds, `draw` a number in [0, 1). `on_failure` is told each error that will be tried again, and the wait
        before that in seconds.
        """
        self.inner = inner
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait
        self._draw = draw
        self._on_failure = on_failure

    @property
    def url(self) -> str:
        """The inner store's."""
        return self.inner.url

    @property
    def properties(self) -> Properties:
        """The inner store's: trying again promises nothing more."""
        return self.inner.properties

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        expect: str | None = None,
        store_id: str | None = None,
        transfer: Transfer | None = None,
    ) -> ObjectInfo:
        """Write a whole object. With `expect`, one's own write whose answer was lost is recognised by its content, so writers that
        race must not write the same bytes: a nonce in them tells whose they are.
        """

        def send() -> ObjectInfo:
            return self.inner.put(key, body, expect=expect, store_id=store_id, transfer=transfer)

        once = send if expect is None else _ConditionalPut(self.inner, key, body, store_id, send)
        return self._try(once, transfer)

    def get(self, key: str, *, store_id: str | None = None) -> bytes:
        """The content of an object."""
        return self._try(lambda: self.inner.get(key, store_id=store_id))

    def fetch(
        self, key: str, to: BinaryIO, *, store_id: str | None = None, offset: int = 0, transfer: Transfer | None = None
    ) -> int:
        """Stream an object; what has arrived is not sent again. ConflictError when the object was replaced between two tries."""
        version = self.stat(key, store_id=store_id).version
        counted = _CountedWrites(to)

        def once() -> int:
            if counted.written and self.inner.stat(key, store_id=store_id).version != version:
                raise ConflictError(
                    f"{key} was replaced while it was read",
                    op="fetch",
                    key=key,
                    hint="read it again from its beginning",
                )
            self.inner.fetch(
                key, cast("BinaryIO", counted), store_id=store_id, offset=offset + counted.written, transfer=transfer
            )
            return counted.written

        return self._try(once, transfer)

    def stat(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """What the store says about one object."""
        return self._try(lambda: self.inner.stat(key, store_id=store_id))

    def checksum(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """Like `stat`, with a hash."""
        return self._try(lambda: self.inner.checksum(key, store_id=store_id))

    def list_objects(self, prefix: str) -> list[ObjectInfo]:
        """Every object under a folder."""
        return self._try(lambda: self.inner.list_objects(prefix))

    def list_folders(self, prefix: str) -> list[str]:
        """The folders directly under a folder."""
        return self._try(lambda: self.inner.list_folders(prefix))

    def delete(self, key: str, *, store_id: str | None = None) -> None:
        """Remove one object; deleting twice is fine, so this is simply repeated."""
        self._try(lambda: self.inner.delete(key, store_id=store_id))

    def new_ids(self, count: int) -> list[str]:
        """Ids to create objects under."""
        return self._try(lambda: self.inner.new_ids(count))

    def now(self) -> datetime:
        """The store's clock."""
        return self._try(self.inner.now)

    def close(self) -> None:
        """Close the inner store; whoever waits for another try gets the last error."""
        self._closed.set()
        self.inner.close()

    def _try(self, once: Callable[[], T], transfer: Transfer | None = None) -> T:
        failures = 0
        first_failure_s = 0.0
        while True:
            try:
                return once()
            except StoreError as error:
                if error.permanent:
                    raise
                first_failure_s = first_failure_s if failures else self._clock()
                self._pause(error, failures, self._clock() - first_failure_s, transfer)
                failures += 1

    def _pause(self, error: StoreError, failures: int, spent_s: float, transfer: Transfer | None) -> None:
        """Wait before the next try, or raise `error` where there should be none."""
        asked_s: float | None = getattr(error, "retry_after_s", None)
        delay_s = self._backoff.delay_s(failures, draw=self._draw(), retry_after_s=asked_s)
        if transfer is not None:
            check_stop(transfer, op=error.op, key=error.key)
        if spent_s + delay_s > self._backoff.limit_s:
            raise error
        self._on_failure(error, delay_s)
        if transfer is not None:
            transfer.on_failure(error)
        if self._wait(delay_s):
            raise error


class _ConditionalPut:
    """One conditional write over several tries."""

    def __init__(
        self, inner: Store, key: str, body: bytes | Path, store_id: str | None, send: Callable[[], ObjectInfo]
    ) -> None:
        self._inner = inner
        self._key = key
        self._body = body
        self._store_id = store_id
        self._send = send
        self._answer_lost = False
        self._conflict: ConflictError | None = None

    def __call__(self) -> ObjectInfo:
        """Sent again after a lost answer: the store itself knows best whether its own half-known write counts. Only when it says that
        another version is there, our own bytes are looked for.
        """
        if self._conflict is None:
            try:
                return self._send()
            except ConflictError as conflict:
                if not self._answer_lost:
                    raise
                self._conflict = conflict  # perhaps with our own earlier write: look, as often as that takes
            except StoreError as error:
                self._answer_lost = self._answer_lost or not error.permanent
                raise
        if found := self._find_own():
            return found
        raise self._conflict

    def _find_own(self) -> ObjectInfo | None:
        """The object, if it holds exactly what we meant to write."""
        try:
            there = self._inner.checksum(self._key, store_id=self._store_id)
        except NotFoundError:
            return None
        own = self._digest
        same_hash = there.sha256 == own.sha256 if there.sha256 else there.md5 == own.md5
        return there if there.size_bytes == own.size_bytes and same_hash else None

    @cached_property
    def _digest(self) -> Digest:
        return body_digest(self._body, key=self._key)


class _CountedWrites:
    """An open file that remembers how much was written to it here."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self.written = 0

    def write(self, data: bytes) -> int:
        self._to.write(data)
        self.written += len(data)
        return len(data)
