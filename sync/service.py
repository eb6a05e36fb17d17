"""The background service of one session: APScheduler wakes its lanes, the lanes do the work. It never raises into the training.

Lanes: "beat" (heartbeat, metrics, fence: small and often) and "blobs" (checkpoints: large and when there are some). Which checkpoint
is next is `sync.outbox`'s affair; when a lane that failed tries again is `core.trouble`'s.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from batonpass.core.errors import BatonpassError, StoppedError
from batonpass.core.model import CheckpointListing, Manifest
from batonpass.core.trouble import POLICIES, kind_of
from batonpass.sync.lane_state import LaneState
from batonpass.sync.mirror import Mirror
from batonpass.sync.outbox import Outbox, Parcel
from batonpass.sync.session import SessionWriter

IDLE_BEAT_S = 60.0
"""When nothing changed, the session's file is still renewed this often: its heartbeat. After trouble it is tried again as often."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What the service calls besides its own work; each is called on a lane's thread."""

    facts: Callable[[], dict[str, Any]]
    """Fields of the session's record that the training changes (step, epoch, trained_s, ...)."""
    extras: Callable[[], dict[str, Any]] = field(default=dict)
    """More fields, asked for only when the file is written anyway (GPU readings)."""
    fence: Callable[[], None] = field(default=lambda: None)
    """Looks whether this session still holds the run."""
    tidy: Callable[[], None] = field(default=lambda: None)
    """Retention, after a checkpoint became durable."""


class SyncService:
    """Owns the lanes of one session. `start`, any number of `enqueue` and `wake`, then `stop`."""

    def __init__(
        self,
        writer: SessionWriter,
        mirror: Mirror,
        duties: Duties,
        *,
        every_s: float,
        say: Callable[[str], None] = print,
        stopping: threading.Event | None = None,
    ) -> None:
        self._writer = writer
        self._mirror = mirror
        self._duties = duties
        self._every_s = every_s
        self._scheduler: Any = None
        self._stopping = stopping or threading.Event()
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._told: tuple[Any, ...] = ()
        """What the session's file said of the training and of the lanes."""
        self._beat_at: float | None = None
        self._beats = 0
        self._published: CheckpointListing | None = None
        self.beat = LaneState("heartbeat and metrics", say, longest_wait_s=IDLE_BEAT_S)
        self.blobs = LaneState("checkpoints to the store", say, small_calls_work=lambda: self.beat.ok)
        self.tidying = LaneState("removal of old checkpoints", say)
        self.on_sent: Callable[[float, float], None] = lambda _took_s, _cpu_s: None
        """Told of each checkpoint that is on the store now: seconds since it was begun, and of processor time. On a lane's thread."""
        mirror.on_progress = self.blobs.moved
        mirror.on_file = self.blobs.got_through

    def start(self) -> None:
        """Begin. The scheduler only wakes the lanes up; late and missed wake-ups fall together into one."""
        from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415  # only a started service needs it

        from batonpass.sync.lanes import LaneExecutor  # noqa: PLC0415

        self._scheduler = BackgroundScheduler(
            logger=_quiet_logger(),
            timezone=UTC,
            executors={"beat": LaneExecutor("beat"), "blobs": LaneExecutor("blobs", yields=True)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        for lane, work in (("beat", self._beat), ("blobs", self._send)):
            self._scheduler.add_job(work, "interval", seconds=self._every_s, id=lane, executor=lane)
        self._scheduler.start()
        threading.Thread(target=self._watch_clock, name="batonpass-clock", daemon=True).start()

    def enqueue(self, directory: Path, manifest: Manifest) -> None:
        """A committed checkpoint is ready. It replaces one that still waits."""
        with self._lock:
            self._outbox.add(Parcel(directory, manifest))
        self.wake("blobs")

    def wake(self, lane: str) -> None:
        """Run a lane now instead of at its next tick."""
        from apscheduler.jobstores.base import JobLookupError  # noqa: PLC0415  # as in `start`

        scheduler = self._scheduler
        if scheduler is not None and not self._stopping.is_set():
            with contextlib.suppress(JobLookupError):  # stopped meanwhile
                scheduler.modify_job(lane, next_run_time=datetime.now(UTC))

    @property
    def durable(self) -> CheckpointListing | None:
        """The newest checkpoint that the session's file on the store lists."""
        return self._published

    @property
    def in_use(self) -> set[str]:
        """Names of the local checkpoints that wait or are being sent, as (step, session, attempt) in the manifest's words."""
        with self._lock:
            return self._outbox.names

    def state(self) -> dict[str, Any]:
        """What `status()` and the session's file say about the lanes."""
        lanes = {"beat": self.beat, "blobs": self.blobs, "tidying": self.tidying}
        return {
            **{name: lane.as_dict() for name, lane in lanes.items()},
            "sending": self._mirror.progress.look().as_dict(),
            "skipped": self._outbox.skipped,
        }

    def drain(self, timeout_s: float) -> bool:
        """Wait until no checkpoint waits or is being sent; False when the time ran out, or when the store refuses what only a person
        can change (no room, no sign-in): that is found out by one more try, not waited for.
        """
        deadline, tries, lost = time.monotonic() + timeout_s, self.blobs.attempts, self._outbox.lost
        self.blobs.hurry()
        self.wake("blobs")
        with self._idle:
            while not self._outbox.is_empty:
                left = deadline - time.monotonic()
                if left <= 0 or (self.blobs.needs_person and self.blobs.attempts > tries):
                    return False
                self._idle.wait(min(left, 1.0))
            return self._outbox.lost == lost

    def publish_now(self) -> bool:
        """One update of the session's file on the calling thread; False when the store did not take it."""
        before = self._beats
        self.beat.run(lambda: self._beat_now(force=True))
        return self._beats > before

    def stop(self) -> None:
        """Stop waking up. What is being sent stops at the next piece and is continued by the next process."""
        self._stopping.set()
        with self._lock:  # two threads may get here at once, and a scheduler takes a second shutdown amiss
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=False)

    def _watch_clock(self) -> None:
        """The scheduler sleeps by the wall clock: when that is set back an hour, it would be silent for an hour. This wait is not."""
        oversleeps = timedelta(seconds=2 * self._every_s + 1)
        while not self._stopping.wait(self._every_s):
            scheduler = self._scheduler
            for lane in ("beat", "blobs"):
                job = scheduler.get_job(lane) if scheduler is not None else None
                due = job.next_run_time if job is not None else None
                if due is not None and due - datetime.now(UTC) > oversleeps:
                    self.wake(lane)

    def _beat(self) -> None:
        if self.beat.due:
            self.beat.run(lambda: self._beat_now(force=False))

    def _beat_now(self, *, force: bool) -> None:
        trouble = self._fence()
        facts = self._duties.facts()
        tell = (facts, self.beat.kind, self.blobs.kind, self.tidying.kind)
        now = time.monotonic()
        due = self._beat_at is None or now - self._beat_at >= IDLE_BEAT_S
        if force or due or tell != self._told:
            self._note(**self._duties.extras(), sync=self.state())
            self._writer.publish()
            self._told, self._beat_at, self._beats = tell, now, self._beats + 1
        if trouble is not None:  # the heartbeat and the metrics are out; now say what keeps the fence from looking
            raise trouble

    def _note(self, **more: Any) -> None:
        """Write the facts of this moment into the record. Two lanes may be here at once: older facts never replace newer ones."""
        with self._noting:
            self._writer.change(**self._duties.facts(), **more)

    def _fence(self) -> BatonpassError | None:
        try:
            self._duties.fence()
        except BatonpassError as error:
            return error
        return None

    def _send(self) -> None:
        while not (self._outbox.is_empty or self._stopping.is_set()) and self.blobs.due:
            self.blobs.run(self._send_next)
            with self._idle:
                self._idle.notify_all()

    def _send_next(self) -> None:
        with self._lock:
            parcel = self._outbox.take()
        if parcel is None:
            return
        before = self._mirror.gains
        try:
            self._send_one(parcel.directory, parcel.manifest)
        except BaseException as error:
            stopped = isinstance(error, StoppedError) or self._stopping.is_set()
            with self._lock:
                self._outbox.failed(
                    gone=not parcel.directory.is_dir(),
                    keep=stopped or POLICIES[kind_of(error)].keeps_half_sent,
                    moved=self._mirror.gains > before,
                )
            if not stopped:
                raise
        else:
            with self._lock:
                self._outbox.done()

    def _send_one(self, directory: Path, manifest: Manifest) -> None:
        began, cpu_s, helpers_s = time.monotonic(), time.thread_time(), self._mirror.helpers_cpu_s
        listing = self._mirror.send(directory, manifest)
        self._writer.add_checkpoint(listing)
        self._note()
        self._writer.publish()
        self._published = listing
        self._mirror.published(listing, manifest)
        used_s = time.thread_time() - cpu_s + self._mirror.helpers_cpu_s - helpers_s
        self.on_sent(time.monotonic() - began, used_s)
        self.tidying.run(self._duties.tidy)  # its failure is its own: the checkpoint is on the store and not sent again


def _quiet_logger() -> logging.Logger:
    """APScheduler's own log: a wake-up that finds its lane still at work is normal here and not worth a line in a notebook."""
    logger = logging.getLogger("batonpass.scheduler")
    logger.setLevel(logging.CRITICAL)
    return logger
