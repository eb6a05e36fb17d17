"""What is on its way now: how much of how much, how fast, and how long it still takes. The same words in the notebook, the command line
and the app.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from batonpass.core.amounts import duration, size

WINDOW_S: Final = 15.0
"""A rate is that of the last seconds: long enough to be steady, short enough to notice a link that died."""
_EVERY_S = 0.25
_SHORTEST_S = 1.0


class Rate:
    """Bytes a second over a sliding window, from a count that only grows. Not thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()
        self._last = 0

    def see(self, count: int) -> None:
        """So many bytes by now; the first call is where counting begins."""
        now, self._last = self._clock(), count
        if not self._seen or now - self._seen[-1][0] >= _EVERY_S:
            self._seen.append((now, count))
            self._forget(now)

    @property
    def bytes_per_s(self) -> float | None:
        """None until there is enough to tell; 0 when nothing has come for a window."""
        if not self._seen:
            return None
        now = self._clock()
        self._forget(now)
        then, count = self._seen[0]
        span = now - then
        if span < _SHORTEST_S:
            return None
        return 0.0 if span > 2 * self._window_s else max(self._last - count, 0) / span

    def _forget(self, now: float) -> None:
        """Keep one sample that is older than the window: the rate is measured from it."""
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._window_s:
            self._seen.popleft()


@dataclass(frozen=True, slots=True)
class Moving:
    """One look at what is on its way. `files` are those that are moving now, each with its bytes so far and in all."""

    files: tuple[tuple[str, int, int], ...] = ()
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float | None = None

    @property
    def left_s(self) -> float | None:
        """Seconds until all is there at this rate; None where that cannot be told."""
        return left_s(self.done_bytes, self.total_bytes, self.bytes_per_s)

    @property
    def words(self) -> str:
        """One line for people; empty when nothing is on its way."""
        if not self.files:
            return ""
        (name, done, total), more = self.files[0], len(self.files) - 1
        amount = f"{name} {size(done)} of {size(total)}"
        if more or total != self.total_bytes:
            amount += (
                f" and {more} more" if more else ""
            ) + f", in all {size(self.done_bytes)} of {size(self.total_bytes)}"
        return amount + pace_words(self.done_bytes, self.total_bytes, self.bytes_per_s)

    def as_dict(self) -> dict[str, Any]:
        """For the session's file."""
        return {
            "files": [list(file) for file in self.files],
            "done_bytes": self.done_bytes,
            "total_bytes": self.total_bytes,
            "bytes_per_s": None if self.bytes_per_s is None else round(self.bytes_per_s),
        }


def read_moving(tree: Any) -> Moving:
    """What `as_dict` wrote. Anything else, as somebody else's file may hold, is nothing on its way."""
    try:
        files = tuple((str(name)[:120], _amount(done), _amount(total)) for name, done, total in tree["files"][:8])
        rate = tree["bytes_per_s"]
        return Moving(
            files,
            _amount(tree["done_bytes"]),
            _amount(tree["total_bytes"]),
            None if rate is None else float(_amount(rate)),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return Moving()


def left_s(done_bytes: int, total_bytes: int, bytes_per_s: float | None) -> float | None:
    """Seconds until all is there; None where nothing moves."""
    return max(total_bytes - done_bytes, 0) / bytes_per_s if bytes_per_s else None


def pace_words(done_bytes: int, total_bytes: int, bytes_per_s: float | None) -> str:
    """How fast and how long still, to follow an amount.

    >>> pace_words(100, 512 * 10**6, 4.1e6), pace_words(0, 1, 0.0), pace_words(0, 1, None)
    (', 4.1 MB/s, 2 min 5 s left', ', no byte moves', '')
    """
    if bytes_per_s is None:
        return ""
    left = left_s(done_bytes, total_bytes, bytes_per_s)
    return ", no byte moves" if left is None else f", {size(bytes_per_s)}/s, {duration(math.ceil(left))} left"


class Progress:
    """Several files of one checkpoint on their way at once. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._clear(0)

    def begin(self, total_bytes: int) -> None:
        """A checkpoint of so many bytes sets out."""
        with self._lock:
            self._clear(total_bytes)
            self._rate.see(0)

    def tell(self, file: str, done_bytes: int, total_bytes: int) -> None:
        """So much of a file is there. What was there before the first word about it counts as done, not as speed."""
        with self._lock:
            before = self._files.get(file)
            self._moved += max(done_bytes - before[0], 0) if before else min(done_bytes, 1 << 20)
            self._files[file] = (done_bytes, total_bytes)
            self._rate.see(self._moved)

    def done(self, file: str, total_bytes: int) -> None:
        """All of a file is there, sent now or before."""
        with self._lock:
            self._files.pop(file, None)
            self._done_bytes += total_bytes

    def less(self, saved_bytes: int) -> None:
        """So many bytes of the checkpoint need not be sent: they were packed away."""
        with self._lock:
            self._total_bytes -= saved_bytes

    def end(self) -> None:
        """Nothing is on its way any more."""
        with self._lock:
            self._clear(0)

    def look(self) -> Moving:
        """As it is now."""
        with self._lock:
            files = tuple((name, done, total) for name, (done, total) in self._files.items())
            done = self._done_bytes + sum(done for _, done, _ in files)
            return Moving(files, done, max(self._total_bytes, done), self._rate.bytes_per_s)

    def _clear(self, total_bytes: int) -> None:
        self._files: dict[str, tuple[int, int]] = {}
        self._total_bytes = total_bytes
        self._done_bytes = self._moved = 0
        self._rate = Rate(clock=self._clock)


def _amount(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 60:
        raise ValueError(value)
    return value
