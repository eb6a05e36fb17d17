"""The thread on which a session ends, so that a store that hangs cannot keep the user waiting. It is there from the start of the session,
because a Python that is about to exit starts no thread any more.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class LastWords:
    """Runs one piece of work in a daemon thread of its own."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._done = threading.Event()
        threading.Thread(target=self._wait, name="batonpass-last-words", daemon=True).start()

    @property
    def done(self) -> bool:
        """The work has come to its end."""
        return self._done.is_set()

    def say(self, work: Callable[[], None], *, within_s: float) -> bool:
        """Do it, and wait for it for at most `within_s` seconds; False when it still goes on. `work` raises nothing."""
        self._work.put(work)
        return self._done.wait(within_s)

    def _wait(self) -> None:
        try:
            self._work.get()()
        finally:
            self._done.set()
