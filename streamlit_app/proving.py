"""Proves the newest checkpoint of each run in the background, where the user switched that on: on a mounted Drive only, and not on the
page's thread, because the Drive's program may first have to download gigabytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from batonpass.core.errors import BatonpassError, StoppedError
from batonpass.core.storage import Store, Transfer
from batonpass.streamlit_app.overview import Overview, RunStory
from batonpass.sync.identity import Identity, this_machine
from batonpass.sync.proving import Outcome, newest_unproven, prove_arrival

AGAIN_S = 600.0
"""What has not arrived, or could not be read, is read again after this time: each try may read all of it."""
_NEVER = float("inf")


class NewestProver:
    """One store's. Thread-safe; at most one reading at a time."""

    def __init__(
        self,
        home: Path,
        *,
        wanted: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        me: Callable[[Path], Identity] = this_machine,
    ) -> None:
        """`wanted` is asked again while something is read: switched off, the reading ends."""
        self._home = home
        self._wanted = wanted
        self._clock = clock
        self._me = me
        self._busy = threading.Lock()
        self._next_try: dict[str, float] = {}
        """Manifest key -> when it may be tried again, by `clock`."""
        self.says = ""
        """What is being read, or what came of the last reading: untrusted text, a sentence."""

    def consider(self, store: Store, overview: Overview) -> threading.Thread | None:
        """Begin, where it is wanted and something is due; returns the thread that reads. Never waits."""
        if store.properties.proves_arrival or not self._wanted() or self._busy.locked():
            return None
        due = [run for run in overview.runs if self._is_due(run)]
        if not due:
            return None
        thread = threading.Thread(target=self._work, args=(store, due), name="batonpass-app-proving", daemon=True)
        thread.start()
        return thread

    def _is_due(self, run: RunStory) -> bool:
        key = None if run.files.annotations.archived else newest_unproven(run.files)
        return key is not None and self._clock() >= self._next_try.get(key, 0.0)

    def _work(self, store: Store, due: Iterable[RunStory]) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            for run in due:
                self._prove(store, run)
        except StoppedError:
            self.says = "switched off while it read; what was read so far is read again next time"
        except BatonpassError as error:
            self.says = f"could not be read: {error.message}"
        finally:
            self._busy.release()

    def _prove(self, store: Store, run: RunStory) -> None:
        self._next_try[newest_unproven(run.files) or ""] = self._clock() + AGAIN_S

        def transfer(file: str, done_bytes: int, total_bytes: int) -> Transfer:
            def tell(sent_bytes: int, _all: int) -> None:
                self.says = (
                    f"{run.name}: reading {file}, {(done_bytes + sent_bytes) / 1e6:,.0f} of {total_bytes / 1e6:,.0f} MB"
                )

            return Transfer(on_progress=tell, should_stop=lambda: not self._wanted())

        report = prove_arrival(store, run.files, self._me(self._home), newest_only=True, transfer=transfer)
        for proof in report.proofs:
            self.says = f"{run.name}, step {proof.step:,}: {proof.outcome}" + (
                f", {proof.detail}" if proof.detail else ""
            )
            if proof.outcome is Outcome.REFUSED:
                self._next_try[proof.checkpoint] = _NEVER
