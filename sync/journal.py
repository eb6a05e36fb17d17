"""The local memory of what has been sent how far: one SQLite file (WAL), readable by its owner only, deletable at any time.

States of an artifact: SNAPSHOT -> SENDING(token) -> COMMITTED(id) -> VERIFIED -> PUBLISHED. Only the last two together are called
durable. What the journal forgets is found out again by asking the store.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """How far one artifact has come."""

    SNAPSHOT = "snapshot"
    SENDING = "sending"
    COMMITTED = "committed"
    VERIFIED = "verified"
    HANDED_OVER = "handed over"
    """In a mounted Drive's folder; its arrival is not proven yet."""
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One object on its way to the store."""

    key: str
    sha256: str
    size_bytes: int
    state: State
    store_id: str | None = None
    token: str | None = field(default=None, repr=False)
    """The store's word for a half-done upload; how far it came only the store knows. A secret: never logged, never exported."""


class Journal:
    """Thread-safe. Every change is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at `path`; one that cannot be read is set aside as `<name>.broken` and begun anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError:
            path.replace(path.with_name(path.name + ".broken"))
            self._db = _open(path)

    def get(self, key: str) -> Artifact | None:
        """What is known of one object."""
        with self._lock:
            row = self._db.execute(
                "SELECT key, sha256, size_bytes, state, store_id, token FROM artifact WHERE key = ?", (key,)
            ).fetchone()
        return Artifact(row[0], row[1], row[2], State(row[3]), row[4], row[5]) if row else None

    def put(self, artifact: Artifact) -> None:
        """Remember an object's state, whatever was known before."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO artifact (key, sha256, size_bytes, state, store_id, token) VALUES (?,?,?,?,?,?)",
                (
                    artifact.key,
                    artifact.sha256,
                    artifact.size_bytes,
                    artifact.state,
                    artifact.store_id,
                    artifact.token,
                ),
            )

    def forget(self, key: str) -> None:
        """The object is no longer of interest."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM artifact WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file. Calling it twice is fine."""
        with self._lock:
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    if os.name == "posix":
        path.chmod(0o600)
    db = sqlite3.connect(path, check_same_thread=False, timeout=10)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(
        "CREATE TABLE IF NOT EXISTS artifact (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL,"
        " state TEXT NOT NULL, store_id TEXT, token TEXT)"
    )
    db.execute("SELECT COUNT(*) FROM artifact").fetchone()
    db.commit()
    return db
