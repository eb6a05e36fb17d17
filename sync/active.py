"""One open session of a run on this machine: its service, its fence, how safe its work is, and how it ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batonpass.core import naming
from batonpass.core.errors import BatonpassError, HeldElsewhereError
from batonpass.core.gpu.readings import thinned
from batonpass.core.model import End, EndKind, GpuSample, Manifest
from batonpass.sync.arrivals import Arrivals
from batonpass.sync.gpu import sample_gpus
from batonpass.sync.handover import Patience, claim, give_way, release
from batonpass.sync.joining import Joined, leave_as_branch
from batonpass.sync.last_words import LastWords
from batonpass.sync.leftovers import remove_superseded
from batonpass.sync.local_retention import keep_newest_local
from batonpass.sync.lookout import Lookout
from batonpass.sync.mirror import Mirror
from batonpass.sync.pruning import Keep, Pruner
from batonpass.sync.reading import read_head
from batonpass.sync.replaying import ReplayWatch
from batonpass.sync.service import Duties, SyncService
from batonpass.sync.session_status import SessionStatus

PRUNE_EVERY_S = 60.0
LAST_WORDS_S = 10.0
"""How long at least a closing session may take to say that it ended."""


class ActiveSession:
    """Owns what `Joined` opened. Thread-safe; `facts` is called on the service's threads and must be quick."""

    def __init__(
        self,
        joined: Joined,
        *,
        home: Path,
        facts: Callable[[], dict[str, Any]],
        keep: Keep,
        every_s: float,
        patience: Patience,
    ) -> None:
        self.joined = joined
        self.home = home
        """Where Batonpass keeps its things on this machine."""
        self._facts = facts
        self._pruner = Pruner(joined.store, joined.folder, joined.writer, keep)
        self._pruned_at = time.monotonic()
        self._patience = patience
        self._head_version = ""
        """Of the head that was read last; as long as it stays, so does who holds the run."""
        self._samples: tuple[GpuSample, ...] = ()
        self._own_durable = False
        self._stopping = threading.Event()
        self._closed = False
        self._safe = False
        self._last_words: LastWords | None = None
        self.lookout = Lookout(joined, patience.say)
        self.replay = ReplayWatch(joined, patience.say)
        self.released = False
        """The run was let go of (stop button); entering the loop again takes it back."""
        self.mirror = Mirror(
            joined.store, joined.folder, joined.journal, should_stop=self._stopping.is_set, compress=joined.compress
        )
        self._arrivals = Arrivals(joined.store, joined.folder)
        duties = Duties(facts=self._facts, extras=self._samples_so_far, fence=self._look_around, tidy=self._tidy)
        self.service = SyncService(
            joined.writer, self.mirror, duties, every_s=every_s, say=patience.say, stopping=self._stopping
        )

    def start(self) -> None:
        """Begin mirroring in the background."""
        self._last_words = LastWords()
        self.service.start()

    def enqueue(self, directory: Path, manifest: Manifest) -> None:
        """A committed checkpoint is ready to be mirrored."""
        self.service.enqueue(directory, manifest)

    def status(self) -> SessionStatus:
        """How safe the work is now."""
        facts = self._facts()
        record = self.joined.writer.record
        newest = self.service.durable
        durable = self._arrivals.known(newest) if newest else None
        step, trained_s = facts.get("step", record.step), facts.get("trained_s", record.trained_s)
        began = record.resumed_from.step if record.resumed_from else 0
        return SessionStatus(
            step=step,
            durable=durable,
            durable_age_s=(datetime.now(UTC) - durable.created_at).total_seconds() if durable else None,
            steps_at_risk=max(step - (durable.step if durable else began), 0),
            seconds_at_risk=max(trained_s - (durable.trained_s if durable else 0.0), 0.0),
            branch=record.branch,
            closed=self._closed,
            began_at=began,
            twins=self.lookout.twins,
            conflicts=self.lookout.conflicts,
            lanes=self.service.state(),
            resumed=record.resumed_from,
            proof=record.resume_proof,
        )

    def become_branch(self, why: str) -> None:
        """This session does not hold the run any more; it goes on and publishes to its own file, marked so."""
        leave_as_branch(self.joined, why)

    def wait(self, seconds: float) -> None:
        """Sleep by this session's own patience, which tests replace."""
        self._patience.sleep(seconds)

    def pause(self, kind: EndKind, detail: str = "") -> None:
        """The body was stopped or failed: say so on the store and let go of the run. The session may go on later."""
        if self._closed or self.released:
            return
        self.joined.writer.change(end=End(kind, datetime.now(UTC), detail[:500]))
        self.service.publish_now()
        self.released = True  # before the head says so: a tick in between must not take one's own letting go for a loss
        self._let_go()

    def retake(self) -> None:
        """Go on after a pause, and hold the run again if this is no branch; HeldElsewhereError when another session took it meanwhile."""
        if not self.released:
            return
        if self.joined.writer.record.branch is None:
            self._take_back()
        self.joined.writer.change(end=None)
        self.released = False
        self.service.publish_now()

    def _take_back(self) -> None:
        joined = self.joined
        head, _ = read_head(joined.store, joined.folder)
        if head.holder is not None or head.term != joined.head.term or joined.session not in head.sessions:
            raise HeldElsewhereError(
                "another session has taken this run over since you stopped here",
                hint="start the run again: it says who holds it, and how to take it over",
            )
        joined.head = claim(
            joined.store,
            joined.folder,
            joined.session,
            joined.writer.record.host,
            takeover=False,
            patience=self._patience,
        )
        joined.writer.change(term=joined.head.term)

    def close(self, kind: EndKind, *, detail: str = "", timeout_s: float = 600.0) -> bool:
        """Send what waits, say how the session ended, let go of the run. True when everything handed in is on the store; a second
        call gives the same answer.

        Bounded by `timeout_s` and some seconds for the last words, also where the store hangs. What is not sent by then stays on
        this disk and is shipped by the next start on this machine.
        """
        if self._closed:
            return self._safe
        self._closed = True
        deadline = time.monotonic() + timeout_s
        end, sent, within_s = End(kind, datetime.now(UTC), detail[:500]), False, LAST_WORDS_S
        try:
            sent = self.service.drain(timeout_s)
            within_s = max(deadline - time.monotonic(), within_s)
        finally:  # also when the wait was interrupted: nothing may go on beating in the name of this session
            self._last_words = self._last_words or LastWords()
            if not self._last_words.say(lambda: self._end(end, sent=sent), within_s=within_s):
                self.service.stop()
        return self._safe

    @property
    def ended(self) -> bool:
        """Nothing of this session is at work any more."""
        return self._closed and self._last_words is not None and self._last_words.done

    def _end(self, end: End, *, sent: bool) -> None:
        joined = self.joined
        try:
            joined.writer.change(end=end, alive=False)
            joined.log.flush(10.0)
            self._safe = self.service.publish_now() and sent
            if self._safe:
                self.service.blobs.run(self._prune)
            self._let_go()
            self.lookout.look_last()  # after all that matters: a slow listing must not keep the end from being said
        finally:
            self.service.stop()
            self.mirror.close()
            joined.writer.close()
            joined.close()

    def _let_go(self) -> None:
        with contextlib.suppress(BatonpassError, OSError):
            # if this fails the lease runs out by itself, and the session's file already says that it ended
            release(self.joined.store, self.joined.folder, self.joined.session)

    def _samples_so_far(self) -> dict[str, Any]:
        self._samples = thinned((*self._samples, *sample_gpus()))
        return {"gpu_samples": self._samples}

    def _look_around(self) -> None:
        self.replay.look()
        self._arrivals.look(self.joined.writer.record)
        self._fence()
        if not self._closed:
            self.lookout.look()

    def _fence(self) -> None:
        """At every tick: look whether another session took the run over; if so go on as a branch and say it once.

        One look costs a `stat`; the head is read only when its version changed, which alone says nothing about the holder.
        """
        joined = self.joined
        if self.released or self._closed or joined.writer.record.branch:
            return
        version = joined.store.stat(naming.head_file(joined.folder)).version
        if version == self._head_version:
            return
        head, version = read_head(joined.store, joined.folder)
        if head.holder == joined.session or self.released:
            self._head_version = version
            return
        by = give_way(joined.store, joined.folder, head, joined.writer, store_id=joined.store_id)
        self._patience.say(
            f"batonpass: session {by} has taken this run over. This session trains on as a branch: "
            "its checkpoints and metrics are kept and marked, but the run continues from the other one."
        )

    def _tidy(self) -> None:
        joined = self.joined
        keep_newest_local(joined.local, in_use=self.service.in_use)
        if not self._own_durable:
            self._own_durable = True
            remove_superseded(self.home, root_id=joined.root.root_id, run_id=joined.info.run_id)
        if time.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
            self._prune()

    def _prune(self) -> None:
        """Retention is for the session that holds the run; a branch keeps its hands off."""
        self._pruned_at = time.monotonic()
        if self.joined.writer.record.branch is None:
            self._pruner.prune()
