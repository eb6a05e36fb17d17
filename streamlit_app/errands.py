"""Work that takes longer than a page may wait: a thread of its own, with progress, an end, and a way to stop it. No Streamlit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence

from batonpass.core.errors import BatonpassError, StoppedError
from batonpass.core.storage import Transfer

KEPT = 50
"""Ended errands that are remembered."""

_log = logging.getLogger(__name__)


class Errand:
    """One piece of work. Written by its thread, read by the pages."""

    def __init__(self) -> None:
        self.says = "beginning"
        """What is being done: untrusted text."""
        self.done_bytes = 0
        self.total_bytes = 0
        self.outcome: tuple[str, ...] = ()
        """What came of it, one sentence each: untrusted text."""
        self.whole = True
        """Nothing was found that is not as it should be."""
        self.problem = ""
        """Why it ended early, and what to do; empty where it did not."""
        self.finished = threading.Event()
        self._stop = threading.Event()

    @property
    def share(self) -> float:
        """How much of the bytes is through, from 0 to 1."""
        return min(1.0, max(0.0, self.done_bytes / self.total_bytes)) if self.total_bytes > 0 else 0.0

    def stop(self) -> None:
        """Ask it to end at the next chunk."""
        self._stop.set()

    def tell(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Progress, from the thread that works. StoppedError once it was asked to stop."""
        self.says, self.done_bytes, self.total_bytes = what, done_bytes, total_bytes
        if self._stop.is_set():
            raise StoppedError("stopped", op="errand")

    def transfer(self, what: str, done_bytes: int, total_bytes: int) -> Transfer:
        """The same for one file of several."""
        return Transfer(
            on_progress=lambda sent_bytes, _all: self.tell(what, done_bytes + sent_bytes, total_bytes),
            should_stop=self._stop.is_set,
        )


Work = Callable[[Errand], Sequence[str]]
"""Does it, tells progress, and returns its outcome."""


class Errands:
    """All errands of this process, by a key. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errands: dict[Hashable, Errand] = {}

    def start(self, key: Hashable, work: Work) -> Errand:
        """Begin it in the background. While one of the same key runs, that one: two tabs never do it twice at once."""
        with self._lock:
            running = self._errands.get(key)
            if running is not None and not running.finished.is_set():
                return running
            errand = Errand()
            self._errands.pop(key, None)
            self._errands[key] = errand
            for old in [k for k, e in self._errands.items() if e.finished.is_set()][:-KEPT]:
                del self._errands[old]
        threading.Thread(target=_run, args=(errand, work), name="batonpass-app-errand", daemon=True).start()
        return errand

    def get(self, key: Hashable) -> Errand | None:
        """The errand of this key, running or ended."""
        with self._lock:
            return self._errands.get(key)

    def drop(self, key: Hashable) -> None:
        """Forget what came of it."""
        with self._lock:
            self._errands.pop(key, None)


def _run(errand: Errand, work: Work) -> None:
    try:
        errand.outcome = tuple(work(errand))
    except StoppedError:
        errand.problem = "Stopped. What was done so far is kept, and the same button goes on."
    except BatonpassError as error:
        errand.problem = f"{error.message}. {error.hint}".strip()
    except Exception as error:  # noqa: BLE001  # a thread has nobody above it: logged, and shown where the work was asked for
        _log.exception("an errand failed")
        errand.problem = f"{type(error).__name__}: {error!s:.200}"
    finally:
        errand.finished.set()
