"""Writes one session's file on the store: heartbeat, checkpoints and metrics in one update. Exactly one writer per session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.errors import StoppedError, StoreError
from batonpass.core.metrics.tail import encode_tail, first_tail_row, first_unsealed_row, seal_is_due, tail_size_bytes
from batonpass.core.model import CheckpointListing, Session
from batonpass.core.storage import ABSENT, ObjectInfo, Store

if TYPE_CHECKING:
    from batonpass.core.metrics.row import Row


class SessionWriter:
    """The one writer of `sessions/<id>.json`. Thread-safe: lanes change fields and publish at their own pace.

    `read_rows(first_row)` returns the metric rows from that number on, oldest first.
    """

    def __init__(
        self,
        store: Store,
        folder: str,
        record: Session,
        read_rows: Callable[[int], Sequence[Row]],
        *,
        store_id: str | None = None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._record = record
        self._read_rows = read_rows
        self._store_id = store_id
        self._state = threading.Lock()
        self._publishing = threading.Lock()
        self._closed = False

    @property
    def key(self) -> str:
        """Key of the file on the store."""
        return naming.session_file(self._folder, self._record.id)

    @property
    def record(self) -> Session:
        """The newest record; not necessarily published yet."""
        with self._state:
            return self._record

    def change(self, **fields: Any) -> None:
        """Set fields of the record; they are on the store after the next `publish`."""
        with self._state:
            self._record = replace(self._record, **fields)

    def add_checkpoint(self, listing: CheckpointListing) -> None:
        """List a checkpoint whose every byte was answered for. It counts as durable once `publish` has returned."""
        with self._state:
            others = tuple(c for c in self._record.checkpoints if c.key != listing.key)
            self._record = replace(self._record, checkpoints=(*others, listing))

    def drop_checkpoints(self, keys: set[str]) -> None:
        """Take checkpoints off the list, before anything of them is removed."""
        with self._state:
            self._record = replace(
                self._record, checkpoints=tuple(c for c in self._record.checkpoints if c.key not in keys)
            )

    def create(self) -> ObjectInfo:
        """Write the file for the first time, before the session is named in the head."""
        with self._publishing:
            return self._store.put(self.key, encode(self.record), expect=ABSENT, store_id=self._store_id)

    def publish(self) -> ObjectInfo:
        """One update: everything changed so far, the metric rows that are in no segment, and the next heartbeat.

        Seals the tail into a segment first when it has grown large or old; the rows leave the tail only in the update that
        lists the verified segment. Any StoreError leaves the file as it was, and the next call catches up. StoppedError after
        `close`.
        """
        with self._publishing:
            if self._closed:
                raise StoppedError("this session has ended", op="publish", key=self.key)
            rows = list(self._read_rows(self._tail_start()))
            logged = rows[-1].row + 1 if rows else 0  # before sealing takes them out of the tail
            unsealed = [row for row in rows if row.row >= first_unsealed_row(self.record.segments)]
            trouble: StoreError | None = None
            if unsealed and seal_is_due(tail_size_bytes(unsealed), time.time() - unsealed[0].time):
                trouble = self._try_to_seal(unsealed)
                rows = [row for row in rows if row.row >= self._tail_start()]
            with self._state:
                self._record = replace(
                    self._record,
                    beat=self._record.beat + 1,
                    heartbeat_at=datetime.now(UTC),
                    rows=max(self._record.rows, logged),
                    tail=encode_tail(rows),
                )
                content = encode(self._record)
            info = self._store.put(self.key, content, store_id=self._store_id)
            if trouble is not None:  # the heartbeat and the rows are out; now say that they could not be sealed
                raise trouble
            return info

    def close(self) -> None:
        """Write no more: from the return on another process may be the one writer. Waits for an update that is on its way."""
        with self._publishing:
            self._closed = True

    def _tail_start(self) -> int:
        return first_tail_row(self.record.segments, proves_arrival=self._store.properties.proves_arrival)

    def _try_to_seal(self, unsealed: Sequence[Row]) -> StoreError | None:
        """Put the unsealed rows on the store as a verified segment; what went wrong leaves the tail as it is and is returned."""
        from batonpass.sync.sealing import put_segment  # noqa: PLC0415  # pyarrow loads with the first segment

        number = len(self.record.segments)
        try:
            segment = put_segment(self._store, self._folder, self.record.id, number, unsealed)
        except StoreError as error:
            return error
        with self._state:
            self._record = replace(self._record, segments=(*self._record.segments, segment))
        return None
