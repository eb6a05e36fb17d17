"""The one door to where runs are kept: the store protocol. The comments here are the contract; tests/stores/suite.py is the same
contract as code, and every store passes it, also wrapped in retry.

Keys are relative POSIX paths ("runs/cats-1f2e3d4c/head.json") made only by `batonpass.core.naming`; any other key is a FormatError
before anything is touched (`naming.check_key`). A store never invents, lists or deletes anything outside its root. Names that begin with
"." are the store's own (locks, unfinished files) and are never listed; other foreign names may be, so a listed key is untrusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from batonpass.core.errors import StoreError

ABSENT = "absent"
"""As `expect` of `put`: only create; an existing object is a ConflictError."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a store can promise, so that nobody guesses by type."""

    proves_arrival: bool
    """`checksum` is an answer from where the bytes finally live. False on a mounted Drive, which answers from its cache."""
    compare_and_swap: bool
    """`expect` is decided by the store itself. False where it is only checked before writing (advisory)."""
    unique_keys: bool
    """Two creators of one key cannot both succeed. False on Drive, where a name may exist twice."""
    listing_lags: bool
    """`list_objects` may omit what was written a while ago. It never proves absence."""
    has_ids: bool
    """Objects have ids by which they are addressed; `new_ids` returns some before anything is sent."""
    may_answer_md5_only: bool = False
    """Where the bytes finally live (Drive, a mounted one included) a checksum is sometimes an md5 and nothing else, so it has to be known."""
    streams: int = 1
    """So many transfers at once pay off: more than one where each call waits for a far server."""
    keeps_pace: bool = False
    """Content goes no faster than `Settings.max_upload_mbit_s` and `max_download_mbit_s`. False where another program (a mounted
    Drive's own) or the system moves the bytes."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store says about one object."""

    key: str
    size_bytes: int
    version: str
    """Changes whenever the content changes; pass it as `expect`."""
    modified: datetime
    """Aware UTC, by the store's clock."""
    id: str | None = None
    md5: str | None = None
    sha256: str | None = None
    owner: str | None = None


@dataclass(slots=True)
class Transfer:
    """What the caller and a long `put` or `fetch` tell each other. All callbacks are called on the calling thread.

    `token` is the store's own word for a half-done upload (on Drive the session URI: a secret, never logged). A store that can
    continue takes it up from there, after asking the server how far it came; any other ignores it. A store writes `token` itself,
    then calls `on_token`. `on_progress` counts from the object's first byte, an offset included, and goes back only
    when a whole `put` is tried again; `on_kept` tells how many bytes the store itself says that it has. `on_failure` is told each error after which it is tried again.
    Once `should_stop` is true, the next chunk is not sent and StoppedError is raised.
    """

    token: str | None = field(default=None, repr=False)
    on_token: Callable[[str | None], None] = field(default=lambda _token: None)
    on_progress: Callable[[int, int], None] = field(default=lambda _sent_bytes, _total_bytes: None)
    on_kept: Callable[[int], None] = field(default=lambda _kept_bytes: None)
    on_failure: Callable[[StoreError], None] = field(default=lambda _error: None)
    should_stop: Callable[[], bool] = field(default=lambda: False)


class Store(Protocol):
    """Where runs are kept. Thread-safe. Every error is a `StoreError` from `batonpass.core.errors`, but for illegal keys."""

    @property
    def url(self) -> str:
        """The string that opens this store again with `open_store`; never holds a secret."""

    @property
    def properties(self) -> Properties:
        """Constant for the life of the store."""

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        expect: str | None = None,
        store_id: str | None = None,
        transfer: Transfer | None = None,
    ) -> ObjectInfo:
        """Write a whole object; readers see the old content or the new, never a part.

        `body` is bytes (small) or the path of a local file that does not change meanwhile (streamed). `expect=None` writes
        whatever is there, `ABSENT` only creates, any other value must equal the object's `version`, else ConflictError and
        nothing is written. Writers that race with `expect` put a nonce into their bytes, which tells one's own write whose answer
        was lost from another's. `store_id` is one of `new_ids` for a first write, so that a lost answer becomes a conflict and not a
        twin: putting the same bytes under the same id again succeeds. Returns the store's answer about the written object.
        """

    def get(self, key: str, *, store_id: str | None = None) -> bytes:
        """The content of a small object. NotFoundError only if the store says so about this very object."""

    def fetch(
        self, key: str, to: BinaryIO, *, store_id: str | None = None, offset: int = 0, transfer: Transfer | None = None
    ) -> int:
        """Stream an object from `offset` (bytes) into an open binary file; returns the number of bytes written.

        The bytes come from one version of the object, and nothing but `to.write` is called. An offset at or past the end writes
        nothing.
        """

    def stat(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """What the store says about one object, cheaply; `md5` and `sha256` may be None. NotFoundError as in `get`."""

    def checksum(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """Like `stat`, with `md5` or `sha256` answered by the store from the bytes it holds (it may read them all)."""

    def list_objects(self, prefix: str) -> list[ObjectInfo]:
        """Every object whose key starts with `prefix` (a folder, ending in "/", or "" for all), recursively, in key order. May lag."""

    def list_folders(self, prefix: str) -> list[str]:
        """The names of the folders directly under `prefix` (ending in "/", or ""), sorted. May lag; an emptied folder may stay."""

    def delete(self, key: str, *, store_id: str | None = None) -> None:
        """Remove one object for good (no trash). Removing what is not there is not an error."""

    def new_ids(self, count: int) -> list[str]:
        """Ids to create objects under; empty where `properties.has_ids` is False."""

    def now(self) -> datetime:
        """The store's clock, aware UTC: the only clock that ages are reckoned by."""

    def close(self) -> None:
        """Release connections. Calling it twice is fine."""
