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
from batonpass.core.errors import ConflictError
from batonpass.core.model import CheckpointListing, Session
from batonpass.core.storage import ABSENT, ObjectInfo, Store

if TYPE_CHECKING:
    from batonpass.core.metrics.log import Row

SEGMENT_BYTES = 1_000_000
SEGMENT_S = 600.0
_TAIL_ROW_BYTES = 48
"""About what one row takes in the JSON tail."""


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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._record = record
        self._read_rows = read_rows
        self._store_id = store_id
        self._monotonic = monotonic
        self._state = threading.Lock()
        self._publishing = threading.Lock()
        self._sealed_at = monotonic()

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
        lists the verified segment. Any StoreError leaves the file as it was, and the next call catches up.
        """
        with self._publishing:
            from batonpass.core.metrics.segments import tail_of  # noqa: PLC0415  # pyarrow loads with the first update

            rows = list(self._read_rows(self._tail_start()))
            if rows and self._seal_is_due(rows):
                rows = self._seal(rows)
            with self._state:
                self._record = replace(
                    self._record,
                    beat=self._record.beat + 1,
                    heartbeat_at=datetime.now(UTC),
                    rows=max(self._record.rows, rows[-1].row + 1 if rows else 0),
                    tail=tail_of(rows),
                )
                content = encode(self._record)
            return self._store.put(self.key, content, store_id=self._store_id)

    def _tail_start(self) -> int:
        """The first row of the tail. On a mount the last two segments may not have arrived, so their rows stay."""
        segments = self.record.segments
        if not self._store.properties.proves_arrival:
            segments = segments[:-2]
        return segments[-1].end_row if segments else 0

    def _unsealed_start(self) -> int:
        segments = self.record.segments
        return segments[-1].end_row if segments else 0

    def _seal_is_due(self, rows: Sequence[Row]) -> bool:
        unsealed = rows[-1].row + 1 - self._unsealed_start()
        old = self._monotonic() - self._sealed_at >= SEGMENT_S and unsealed > 0
        return old or unsealed * _TAIL_ROW_BYTES >= SEGMENT_BYTES

    def _seal(self, rows: list[Row]) -> list[Row]:
        """Put the unsealed rows on the store as a segment, verified; returns the rows that stay in the tail."""
        from batonpass.sync.sealing import put_segment  # noqa: PLC0415  # pyarrow

        first = self._unsealed_start()
        try:
            segment = put_segment(
                self._store,
                self._folder,
                self._record.id,
                len(self.record.segments),
                [r for r in rows if r.row >= first],
            )
        except ConflictError:
            return rows
        self._sealed_at = self._monotonic()
        with self._state:
            self._record = replace(self._record, segments=(*self._record.segments, segment))
        start = self._tail_start()
        return [r for r in rows if r.row >= start]
