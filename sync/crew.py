"""Several transfers at once, as many as the store bears: one at a time when it asks for less, one more with each that gets through.

Daemon threads that stay, so that each keeps its connection, and so that a stuck transfer never keeps the interpreter from exiting.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """The calling thread and up to `most - 1` others. `each` is called by one thread at a time."""

    def __init__(self, most: int, *, name: str = "batonpass-transfer") -> None:
        self._most = most
        self._name = name
        self._queue: queue.SimpleQueue[_Batch[Any, Any] | None] = queue.SimpleQueue()
        self._threads = 0
        self._changed = threading.Condition()
        self._limit = most
        self.helpers_cpu_s = 0.0
        """Processor time that the other threads have used for the work so far, in seconds."""

    @property
    def limit(self) -> int:
        """How many may run at once now."""
        return self._limit

    def slow_down(self) -> None:
        """The store asked for less: one at a time, from the next piece of work on."""
        with self._changed:
            self._limit = 1

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`work(item)` of each, in order. After the first error nothing more is begun; it is raised when what runs has ended."""
        batch = _Batch(work, items, self._changed, lambda: self._limit, self._widen)
        wanted = min(self._most, len(items)) - 1
        self._start(wanted)
        for _ in range(min(wanted, self._threads)):
            self._queue.put(batch)
        batch.join_in()
        return batch.wait()

    def close(self) -> None:
        """Let the threads end after what they are doing."""
        threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._queue.put(None)

    def _start(self, wanted: int) -> None:
        """Have so many helpers. While the interpreter ends there can be no new ones: then the calling thread does it all."""
        with contextlib.suppress(RuntimeError):
            while self._threads < wanted:
                threading.Thread(target=self._help, name=f"{self._name}-{self._threads + 1}", daemon=True).start()
                self._threads += 1

    def _help(self) -> None:
        while (batch := self._queue.get()) is not None:
            started = time.thread_time()
            batch.join_in()
            with self._changed:
                self.helpers_cpu_s += time.thread_time() - started

    def _widen(self) -> None:
        self._limit = min(self._most, self._limit + 1)


class _Batch(Generic[T, R]):
    """The items of one call, handed out to whoever joins in."""

    def __init__(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        changed: threading.Condition,
        limit: Callable[[], int],
        widen: Callable[[], None],
    ) -> None:
        self._work = work
        self._items = items
        self._changed = changed
        self._limit = limit
        self._widen = widen
        self._next = 0
        self._running = 0
        self._results: dict[int, R] = {}
        self._error: BaseException | None = None

    def join_in(self) -> None:
        """Work until there is nothing left to begin."""
        while (number := self._begin()) is not None:
            try:
                result = self._work(self._items[number])
            except BaseException as error:  # noqa: BLE001  # raised by `wait` on the caller's thread
                self._end(number, error=error)
            else:
                self._end(number, result=result)

    def wait(self) -> list[R]:
        """The results, once nothing runs any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)
        if self._error is not None:
            raise self._error
        return [self._results[number] for number in range(len(self._items))]

    def _begin(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._running < max(self._limit(), 1))
            if self._is_over:
                return None
            self._running += 1
            self._next += 1
            return self._next - 1

    @property
    def _is_over(self) -> bool:
        return self._error is not None or self._next >= len(self._items)

    def _end(self, number: int, *, result: Any = None, error: BaseException | None = None) -> None:
        with self._changed:
            self._running -= 1
            if error is None:
                self._results[number] = result
                self._widen()
            else:
                self._error = self._error or error
            self._changed.notify_all()
