"""Writing what the user says: small files changed on top of what stands there now, and notes as files of their own. No Streamlit."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

from batonpass.core.codec import decode, encode
from batonpass.core.errors import ConflictError, NotFoundError
from batonpass.core.model import Note
from batonpass.core.storage import ABSENT, Store

T = TypeVar("T")


def edit_file(store: Store, key: str, default: T, change: Callable[[T], T]) -> None:
    """Change a file, `default` where there is none. ConflictError when another app was faster twice."""
    for last in (False, True):
        try:
            version = store.stat(key).version
            old = decode(type(default), store.get(key), key=key)
        except NotFoundError:
            version, old = ABSENT, default
        try:
            store.put(key, encode(change(old)), expect=version)
            break
        except ConflictError:
            if last:
                raise


def write_note(store: Store, prefix: str, text: str, replaces: str | None = None) -> None:
    """A note as a file of its own under `prefix`. StoreError where it cannot be written."""
    now = store.now()
    note = Note(f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}", now, text, replaces)
    store.put(f"{prefix}{note.id}.json", encode(note), expect=ABSENT)
