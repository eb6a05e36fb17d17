"""Where a save writes: each call that changes a file, seen from outside by Python's profiling hook, in every thread of the process.

Nothing of the product is replaced. A point lies right before or right after such a call, so a kill at each of them meets every state
that the files pass through, up to what the system itself does inside one call.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

CALLS = {"fsync", "fdatasync", "replace", "rename", "mkdir", "unlink", "rmdir", "link", "truncate", "sendfile"}
DATABASE = {"execute", "executemany", "commit", "executescript"}
_FILES = (io.BufferedWriter, io.BufferedRandom, io.FileIO, io.TextIOWrapper)


class WritePoints:
    """Counts the points while it is armed, and calls `reached(place)` at the one that was asked for."""

    def __init__(self, stop_at: int | None, reached: Callable[[str], None]) -> None:
        self.seen: list[str] = []
        self._stop_at, self._reached = stop_at, reached
        self._armed = False
        self._lock = threading.Lock()
        sys.setprofile(self._hook)
        threading.setprofile(self._hook)

    def arm(self) -> None:
        """From now on points count."""
        self._armed = True

    def disarm(self) -> None:
        """Points do not count any more."""
        self._armed = False

    def point(self, place: str) -> None:
        """One more point."""
        if not self._armed:
            return
        with self._lock:
            self.seen.append(place)
            if len(self.seen) - 1 == self._stop_at:
                self._reached(place)  # with the lock: no other thread comes past the point

    def _hook(self, frame: FrameType, event: str, called: Any) -> None:
        if self._armed and event in ("c_call", "c_return") and _writes(called):
            when = "before" if event == "c_call" else "after"
            self.point(f"{_place(frame)}: {when} {called.__name__}")


def _writes(called: Any) -> bool:
    name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    if name in CALLS:
        return getattr(called, "__module__", None) in ("posix", "nt")
    if name in ("write", "close", "flush"):
        return isinstance(owner, _FILES) and (owner.closed or owner.writable())
    return name in DATABASE and type(owner).__module__.startswith("sqlite3")


def _place(frame: FrameType | None) -> str:
    """The innermost function of Batonpass (or of whoever saves) that the call belongs to."""
    while frame is not None:
        path = frame.f_code.co_filename.replace("\\", "/")
        for folder in ("/core/", "/sync/", "/src/batonpass/"):
            if folder in path and "site-packages" not in path:
                return f"{(folder.strip('/') + '/' + path.rpartition(folder)[2]).replace('src/batonpass/', '')} {frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"
