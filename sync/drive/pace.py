"""How fast content may go over the wire: one bucket of bytes for each direction, shared by every thread and store of this process."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from batonpass.core.files import CHUNK_BYTES

BURST_S: Final = 0.1
"""So much time's worth of bytes may go out at once after a rest: 1 % of the average over ten seconds."""
_SLICE_S = 0.1
_SMALL_BYTES = 256 * 1024


class Pace:
    """At most `bytes_per_s`; None: as fast as it goes."""

    def __init__(
        self,
        bytes_per_s: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at_s = clock() - BURST_S

    @property
    def block_bytes(self) -> int:
        """What to move at a time, so that it flows instead of coming in gushes."""
        if self._bytes_per_s is None:
            return CHUNK_BYTES
        return min(CHUNK_BYTES, max(1024, int(self._bytes_per_s * BURST_S)))

    @property
    def at_once_bytes(self) -> float:
        """Up to here something is small and may go ahead: heartbeats, heads, manifests, metrics."""
        return math.inf if self._bytes_per_s is None else _SMALL_BYTES

    def take(self, count: int, should_stop: Callable[[], bool]) -> None:
        """Returns when `count` bytes may have gone over the wire, or soon after `should_stop` says yes."""
        at_s = self._book(count)
        while (left_s := at_s - self._clock()) > 0 and not should_stop():
            self._sleep(min(left_s, _SLICE_S))

    def note(self, count: int) -> None:
        """Something small goes ahead of what waits; that waits so much longer."""
        self._book(count)

    def _book(self, count: int) -> float:
        """The moment at which these bytes are over, on the clock."""
        if self._bytes_per_s is None:
            return 0.0
        with self._lock:
            self._free_at_s = max(self._free_at_s, self._clock() - BURST_S) + count / self._bytes_per_s
            return self._free_at_s


_paces: dict[tuple[str, float | None], Pace] = {}
_lock = threading.Lock()


def pace_of(direction: str, mbit_s: float | None) -> Pace:
    """The one pace of this process for "up" or "down" at so many megabits (10^6 bits) a second."""
    with _lock:
        return _paces.setdefault((direction, mbit_s), Pace(None if mbit_s is None else mbit_s * 1e6 / 8))
