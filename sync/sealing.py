"""Puts sealed metric segments on the store and proves that they arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from batonpass.core import naming
from batonpass.core.errors import ConflictError
from batonpass.core.metrics.log import Row
from batonpass.core.metrics.segments import encode_segment
from batonpass.core.model import Segment
from batonpass.core.storage import Store
from batonpass.sync.proof import prove


def put_segment(store: Store, folder: str, session: str, number: int, rows: Sequence[Row]) -> Segment:
    """Write rows (not empty, in order) as an immutable segment and verify it. ConflictError when other bytes lie under its name."""
    content = encode_segment(rows)
    sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
    key = naming.segment_file(folder, session, number)
    ids = store.new_ids(1)
    info = store.put(key, content, store_id=ids[0] if ids else None)
    segment = Segment(
        key=key,
        first_row=rows[0].row,
        end_row=rows[-1].row + 1,
        size_bytes=len(content),
        sha256=sha256,
        md5=md5,
        id=info.id,
    )
    if not prove(store, key, size_bytes=len(content), sha256=sha256, md5=md5, store_id=info.id):
        raise ConflictError(
            "the segment on the store is not the one that was sent", op="seal", key=key, hint="it is sent again"
        )
    return segment
