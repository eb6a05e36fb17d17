"""The wire between the client and Drive: how many bytes a second it carries, in one direction, for all connections together."""

from __future__ import annotations

import threading
import time

SLACK_S = 0.05
"""A real link goes on into its buffers while the reader sleeps a little too long: so much is made up for."""


class Link:
    """`bytes_per_s` 0: as fast as it goes."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self._free_at_s = 0.0
        self._lock = threading.Lock()

    def carry(self, count: int) -> None:
        """Returns when `count` bytes have come across."""
        if not self.bytes_per_s:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at_s = max(self._free_at_s, now - SLACK_S) + count / self.bytes_per_s
            delay_s = self._free_at_s - now
        time.sleep(max(0.0, delay_s))
