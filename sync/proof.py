"""Asks a store whether it holds exactly the bytes that a manifest promises."""

from __future__ import annotations

from batonpass.core.errors import NotFoundError, StoreError
from batonpass.core.storage import ObjectInfo, Store


def prove(
    store: Store, key: str, *, size_bytes: int, sha256: str, md5: str, store_id: str | None = None
) -> ObjectInfo | None:
    """The store's own answer (size and checksum), if it equals the promise. On a mount this is the cache's answer: handed over, not proof.

    An unreachable store raises, and so does one whose answer cannot be compared; only the store's own word about other bytes, or
    about none, is None.
    """
    try:
        info = store.checksum(key, store_id=store_id)
    except NotFoundError:
        return None
    same = compare(info, size_bytes=size_bytes, sha256=sha256, md5=md5)
    if same is None:
        raise StoreError(
            "the store gives no checksum that could be compared", op="verify", key=key, hint="it is asked again"
        )
    return info if same else None


def compare(info: ObjectInfo, *, size_bytes: int, sha256: str, md5: str) -> bool | None:
    """Whether a store's answer is that of these bytes; None where it gives no checksum that we know the other side of (`md5` may be "")."""
    if info.size_bytes != size_bytes:
        return False
    if info.sha256:
        return info.sha256 == sha256
    return info.md5 == md5 if info.md5 and md5 else None
