"""Puts sealed metric segments on the store and proves that they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batonpass.core import naming
from batonpass.core.errors import ConflictError
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import describe_segment, encode_segment
from batonpass.core.model import Segment
from batonpass.core.storage import Store
from batonpass.sync.proof import prove


def put_segment(store: Store, folder: str, session: str, number: int, rows: Sequence[Row]) -> Segment:
    """Write rows (not empty, in order) as an immutable segment and verify it. ConflictError when other bytes lie under its name."""
    content = encode_segment(rows)
    key = naming.segment_file(folder, session, number)
    segment = describe_segment(key, rows, content)
    ids = store.new_ids(1)
    info = store.put(key, content, store_id=ids[0] if ids else None)
    if not prove(store, key, size_bytes=segment.size_bytes, sha256=segment.sha256, md5=segment.md5, store_id=info.id):
        raise ConflictError(
            "the segment on the store is not the one that was sent", op="seal", key=key, hint="it is sent again"
        )
    return replace(segment, id=info.id)
