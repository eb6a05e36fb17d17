"""Mirrors the output folder of any trainer into a run, checkpoints and metrics, with no change to its code. Polls, because no
notification reaches across mounts.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batonpass.core.errors import FormatError, UsageError
from batonpass.core.model import EndKind
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.active import ActiveSession
from batonpass.sync.handover import Patience
from batonpass.sync.machine import process_lives
from batonpass.sync.pruning import Keep
from batonpass.sync.settled import Candidate, FileMark, Settling, family_of, find_candidates, newest_of_each_family
from batonpass.sync.snapshots import Held, NotTakenError, commit_held, take_snapshot
from batonpass.sync.watch_draft import Drafts
from batonpass.sync.watch_join import content_of, continue_from_before, host_of_trainer, join_watched
from batonpass.sync.watch_status import WatchStatus
from batonpass.sync.watched_metrics import WatchedMetrics

QUIET_S = 3600.0
"""Without the trainer's process id: so long without any change in the folder, and the trainer is no longer called alive."""
_ENDED = "the watched process ended"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How to watch. `pid` is the trainer's process; without it only the folder's silence tells that it is gone."""

    pid: int | None = None
    every_s: float = 5.0
    keep: Keep = field(default_factory=lambda: Keep(last=3))
    say: Callable[[str], None] = print
    takeover: bool = False
    metrics: bool = True
    """Read the numbers that the trainer writes into files. Off where a callback logs them: they would come twice."""


class Watch:
    """A folder that is mirrored as one session of a run. `poll` is one look; `run_until` repeats it; `close` finishes."""

    def __init__(
        self, store: Store, folder: Path, name: str, *, account: str, settings: Settings, options: WatchOptions
    ) -> None:
        """Join the run as a new session. Errors: as `join_run`; UsageError for a folder that is not there, a process that is not
        there, or a run that `start` trains.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", hint="name the trainer's output folder; it must exist")
        self.folder = folder
        self._options = options
        self._say = options.say
        self._lock = threading.Lock()
        self._settling = Settling()
        self._done: dict[str, tuple[FileMark, ...]] = {}
        self._taken_ns: dict[str, int] = {}
        """Family -> when the newest one that was taken of it had been written."""
        self._held: dict[str, Held] = {}
        """Family -> its newest files, in a folder of ours."""
        self._newest: Path | None = None
        self._seen: dict[str, tuple[FileMark, ...]] = {}
        self._changed_at = time.monotonic()
        self._complaint = ""
        self._closed = False
        self._host = host_of_trainer(settings, options.pid)
        joined = join_watched(store, name, account, settings, self._host, takeover=options.takeover, say=self._say)
        try:
            self._published = continue_from_before(joined)
        except BaseException:
            joined.close()  # its lock is free: the next watch of the same process may follow at once
            raise
        self._position = (joined.writer.record.step, 0.0)
        self.metrics = WatchedMetrics(folder, joined, read_files=options.metrics, say=self._say)
        self._drafts = Drafts(joined, self.metrics.intake)
        self.active = ActiveSession(
            joined,
            home=settings.home,
            facts=self._facts,
            keep=options.keep,
            every_s=min(options.every_s, 20.0),
            patience=Patience(lease_s=settings.lease_s, say=self._say),
        )
        self.active.start()

    @property
    def trainer_lives(self) -> bool:
        """With a process id: whether it lives. Without: whether anything has changed in the folder for an hour."""
        if self._options.pid is not None:
            return process_lives(self._host.process)
        return time.monotonic() - self._changed_at < QUIET_S

    def poll(self) -> int:
        """One look: hand the next settled checkpoint to the service if it is idle. Returns how many still wait or are being sent.

        Never raises for what happens in the folder; it is said once and tried again when it has changed.
        """
        with self._lock:
            if self._closed:
                return 0
            behind = self._read_metrics()
            self._drop_overwritten()
            try:
                found = find_candidates(self.folder)
            except OSError as error:
                self._complain(f"batonpass: {self.folder} cannot be read: {error.strerror or error}; it is tried again")
                return len(self.active.service.in_use) + behind
            self._note_changes(found)
            settled = {c.name for c in self._settling.look(found)}
            fresh = [c for c in found if self._is_fresh(c)]
            ready = newest_of_each_family([c for c in fresh if c.name in settled])
            busy = len(self.active.service.in_use)
            if ready and not busy:
                self._take(ready[0])
                return max(len(ready), 1)
            return busy + len(fresh) + behind

    def run_until(self, stopping: threading.Event) -> str:
        """Poll until `stopping` is set or the trainer's process has ended; returns why it ended, in a few words."""
        while not stopping.is_set():
            if self._options.pid is not None and not self.trainer_lives:
                return _ENDED
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next look may work, and the trainer goes on
                self._complain(f"batonpass: watching {self.folder}: {type(error).__name__}: {error}; it is tried again")
            stopping.wait(self._options.every_s)
        return "the watcher was stopped"

    def close(self, why: str = "the watcher was stopped", *, timeout_s: float = 60.0) -> bool:
        """Take what is whole now, send it, and end the session; True when all of it is on the store. Bounded by `timeout_s`."""
        if self._closed:
            return True
        deadline = time.monotonic() + timeout_s
        pause_s = min(self._options.every_s, 0.5)
        while self.poll() and time.monotonic() + pause_s < deadline:
            time.sleep(pause_s)
        with self._lock:
            self._closed = True
        return self.active.close(EndKind.CLOSED, detail=why, timeout_s=max(deadline - time.monotonic(), 1.0))

    def status(self) -> WatchStatus:
        """What of it is safe, what the newest checkpoint lacks, and how far the training came."""
        place = self.metrics.place
        return WatchStatus(self.active.status(), float(self._facts()["epoch"]), place.rows, self.metrics.source)

    def _facts(self) -> dict[str, Any]:
        step, epoch = self._position
        resumed = self.active.joined.writer.record.resumed_from
        if self._newest is None and resumed is not None:
            step = resumed.step
        return {"step": step, "epoch": epoch, "alive": self.trainer_lives, **self.metrics.facts()}

    def _read_metrics(self) -> bool:
        rows = self.metrics.place.rows
        behind = self.metrics.look()
        if self.metrics.place.rows != rows:
            self._changed_at = time.monotonic()
        return behind

    def _note_changes(self, found: list[Candidate]) -> None:
        seen = {c.name: c.marks for c in found}
        if seen != self._seen:
            self._seen, self._changed_at = seen, time.monotonic()

    def _is_fresh(self, candidate: Candidate) -> bool:
        """Neither looked at as it is now, nor older than one of its family that was taken."""
        older = candidate.modified_ns < self._taken_ns.get(candidate.family, -1)
        return not older and self._done.get(candidate.name) != candidate.marks

    def _take(self, candidate: Candidate) -> None:
        self._done[candidate.name] = candidate.marks
        place = self.active.joined.local.path / "held"
        try:
            held = take_snapshot(candidate, self.folder, place, link=candidate.numbered)
        except NotTakenError as error:
            self._say(f"batonpass: not taken: {error.message}; it is looked at again when it changes")
            return
        except FormatError as error:
            self._say(f"batonpass: {error}")
            return
        except OSError as error:
            self._done.pop(candidate.name)  # the disk may have room again at the next look
            self._complain(
                f"batonpass: {candidate.name} could not be taken: {error.strerror or error}; it is tried again"
            )
            return
        self._complaint = ""
        self._taken_ns[candidate.family] = candidate.modified_ns
        self._hold(candidate.family, held)
        if not any(content_of(held.entries) <= content for content in self._published):
            self._commit(candidate)

    def _hold(self, family: str, held: Held) -> None:
        before = self._held.pop(family, None)
        self._held[family] = held
        if before is not None:
            shutil.rmtree(before.directory, ignore_errors=True)

    def _commit(self, candidate: Candidate) -> None:
        """Hand over all that is held: what else lies in the folder travels with the newest, and equal bytes are not sent again."""
        try:
            directory, manifest = commit_held(
                self.active.joined.local.checkpoints,
                self._drafts.make(candidate, after_step=self._position[0], durable=self.active.service.durable),
                self._held.values(),
            )
        except OSError as error:
            self._forget(candidate.family)
            self._complain(
                f"batonpass: {candidate.name} could not be kept: {error.strerror or error}; it is tried again"
            )
            return
        self._newest = directory
        self._position = (manifest.step, manifest.epoch)
        self._published.add(content_of(manifest.files))
        self.active.enqueue(directory, manifest)

    def _forget(self, family: str) -> None:
        """Take this family anew at the next look."""
        shutil.rmtree(self._held.pop(family).directory, ignore_errors=True)
        self._taken_ns.pop(family, None)
        self._done = {name: marks for name, marks in self._done.items() if family_of(name) != family}

    def _complain(self, text: str) -> None:
        """Say what goes wrong once, not at every look."""
        if text != self._complaint:
            self._complaint = text
            self._say(text)

    def _drop_overwritten(self) -> None:
        """A linked file that its trainer wrote over in place is not what was hashed: forget it, and the checkpoint with it."""
        for family in [family for family, held in self._held.items() if not held.is_intact()]:
            changed = content_of(self._held[family].entries)
            self._forget(family)
            if self._newest is not None:
                shutil.rmtree(self._newest, ignore_errors=True)
            self._published = {content for content in self._published if not changed & content}
            self._say(f"batonpass: {family} was written over in place; its new content is taken instead")
