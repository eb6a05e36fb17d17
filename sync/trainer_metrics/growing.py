"""A file that somebody else appends to, read from where the last look ended. A file that was written anew is noticed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ANCHOR_BYTES = 1024
"""So much of the beginning, and so much before the offset, is compared to tell an appended file from one written anew."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What stands behind the offset now."""

    data: bytes
    at_end: bool
    """Nothing more was there when it was read."""
    anew: bool
    """The file is not the one that was read before: `data` is from its beginning."""
    left_bytes: int
    """From the beginning of `data` to the end of the file."""
    modified_s: float


class GrowingFile:
    """Remembers how far a file was read. `read` looks; `advance` says how much of what it gave was used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._head = b""
        self._before = b""
        self._seen: tuple[int, int, int] | None = None
        """Size, time and inode when it was last read to its end."""

    def read(self, limit_bytes: int) -> Stretch | None:
        """At most `limit_bytes` from the offset; None when nothing has changed since the end was reached. OSError as reading gives it."""
        stat = self.path.stat()
        mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if mark == self._seen:
            return None
        with self.path.open("rb") as file:
            anew = self.offset > 0 and not self._is_same(file)
            if anew:
                self.offset, self._head, self._before = 0, b"", b""
            file.seek(self.offset)
            data = file.read(limit_bytes)
            left = max(os.fstat(file.fileno()).st_size - self.offset, len(data))
        at_end = len(data) == left
        self._seen = mark if at_end else None
        return Stretch(data, at_end, anew, left, stat.st_mtime)

    def advance(self, used: bytes) -> None:
        """So much, from the beginning of what `read` gave, is done with."""
        if len(self._head) < ANCHOR_BYTES and self.offset == len(self._head):
            self._head = (self._head + used)[:ANCHOR_BYTES]
        self._before = (self._before + used[-ANCHOR_BYTES:])[-ANCHOR_BYTES:]
        self.offset += len(used)

    def jump(self, size_bytes: int) -> None:
        """So much is passed over unread."""
        self._before = b""
        self.offset += size_bytes
        self._seen = None

    def _is_same(self, file: BinaryIO) -> bool:
        if os.fstat(file.fileno()).st_size < self.offset:
            return False
        if file.read(len(self._head)) != self._head:
            return False
        file.seek(self.offset - len(self._before))
        return file.read(len(self._before)) == self._before
