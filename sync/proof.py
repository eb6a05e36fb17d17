"""Asks a store whether it holds exactly the bytes that a manifest promises."""

from __future__ import annotations

from batonpass.core.errors import NotFoundError
from batonpass.core.storage import Store


def prove(store: Store, key: str, *, size_bytes: int, sha256: str, md5: str, store_id: str | None = None) -> bool:
    """The store's own answer (size and checksum) equals the promise. On a mount this is the cache's answer: handed over, not proof.

    An unreachable store raises; only the store's own word about other bytes, or about none, is False.
    """
    try:
        info = store.checksum(key, store_id=store_id)
    except NotFoundError:
        return False
    if info.size_bytes != size_bytes:
        return False
    if info.sha256 is not None:
        return info.sha256 == sha256
    return info.md5 == md5
