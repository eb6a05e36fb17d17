"""Asks a store whether it holds exactly the bytes that a manifest promises."""

from __future__ import annotations

from batonpass.core.errors import NotFoundError
from batonpass.core.storage import ObjectInfo, Store


def prove(
    store: Store, key: str, *, size_bytes: int, sha256: str, md5: str, store_id: str | None = None
) -> ObjectInfo | None:
    """The store's own answer (size and checksum), if it equals the promise. On a mount this is the cache's answer: handed over, not proof.

    An unreachable store raises; only the store's own word about other bytes, or about none, is None.
    """
    try:
        info = store.checksum(key, store_id=store_id)
    except NotFoundError:
        return None
    if info.size_bytes != size_bytes:
        return None
    same = info.sha256 == sha256 if info.sha256 is not None else info.md5 == md5
    return info if same else None
