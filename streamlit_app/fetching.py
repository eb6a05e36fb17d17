"""What a page wants of the store beyond the story, asked for on threads of their own: a page waits for it only for a moment, then says
that it is being read and asks again. No Streamlit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from batonpass.core.errors import StoreUnreachableError

KEPT = 20
"""Answers that nobody came for and that are remembered."""

T = TypeVar("T")


class StillReadingError(StoreUnreachableError):
    """It has not come yet. `is_over()` tells when to ask again: it is there then, or has failed."""

    def __init__(self, what: str, is_over: Callable[[], bool]) -> None:
        """`what` is being read, in a few words."""
        super().__init__(f"{what} is still being read", hint="It comes by itself in a moment.")
        self.is_over = is_over


class Fetching:
    """Questions to the store by a key, each asked once at a time. Thread-safe. An answer is handed out once: what should last, `work` keeps."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s` is how long whoever asks waits."""
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, what: str, work: Callable[[], T]) -> T:
        """What `work` returns or raises; StillReadingError where that takes longer than the patience. Asking again goes on with the same work."""
        asked = self._begin(key, work)
        wait([asked], self._patience_s)
        if not asked.done():
            raise StillReadingError(what, asked.done)
        with self._lock:
            if self._asked.get(key) is asked:
                del self._asked[key]
        answer: T = asked.result()
        return answer

    def _begin(self, key: Hashable, work: Callable[[], T]) -> Future[Any]:
        with self._lock:
            asked = self._asked.get(key)
            if asked is None:
                asked = self._asked[key] = Future()
                threading.Thread(target=_run, args=(asked, work), name="batonpass-app-fetch", daemon=True).start()
                for old in [k for k, each in self._asked.items() if each.done()][:-KEPT]:
                    del self._asked[old]
            return asked


def _run(asked: Future[Any], work: Callable[[], object]) -> None:
    try:
        asked.set_result(work())
    except BaseException as error:  # noqa: BLE001  # a thread has nobody above it: raised where it was asked for
        asked.set_exception(error)
