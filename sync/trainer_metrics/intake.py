"""Takes points into a session's log: each once, with the moments at which the training went back, and how far it has come.

Going back is seen where a metric that was logged at a step is logged at an earlier one. The rows of that step and later ones are
superseded from then on: those of this session by its `rewinds`, those of the session before by `resumed_from.metric_rows`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from batonpass.core.metrics.foreign.point import MAX_STEP, Point, fingerprint
from batonpass.core.metrics.log import NAMES_LIMIT, MetricLog
from batonpass.core.model import ResumeRecord
from batonpass.sync.session import SessionWriter
from batonpass.sync.trainer_metrics.repeats import Repeats
from batonpass.sync.trainer_metrics.steps import Steps
from batonpass.sync.trainer_metrics.stored import Before

GAP_S = 600.0
"""A longer silence between two rows is a stop of the trainer and not training."""
REWINDS_LIMIT = 500
FLUSH_EVERY = 20_000
"""Rows after which the log's thread is given time to bring them to the disk: nothing is dropped for coming too fast."""

_WENT_ON = "the trainer went on writing to the same files while a new session began to watch them"


@dataclass(frozen=True, slots=True)
class Place:
    """How far the training has come, by its metrics."""

    step: int = 0
    epoch: float = 0.0
    steps_done: int = 0
    trained_s: float = 0.0
    rows: int = 0
    """Logged by this session."""
    known: bool = False
    """A row of this session, or of the one before that it goes on from, has said the step."""


class Intake:
    """The one way of a watched run's metrics into its log. Thread-safe. `say` is told once of what cannot be kept."""

    def __init__(self, log: MetricLog, writer: SessionWriter, *, say: Callable[[str], None]) -> None:
        self._log = log
        self._writer = writer
        self._say = say
        self._lock = threading.Lock()
        self._before = Before()
        self._continues = False
        """The files go on where the session before stopped: its rows stand in them."""
        self._passed: set[int] = set()
        """Files that were read past what the sessions before have logged of them: all that follows is new."""
        self._back_to = MAX_STEP + 1
        """The lowest step that this session went back to: from it on nothing of the session before counts."""
        self._files: dict[int, Repeats] = {}
        """Files of which something was read, and what they say twice."""
        self._last: dict[str, int] = {}  # name -> the step it was logged at last
        self._names: set[str] = set()
        self._steps = Steps()
        self._unflushed = 0
        self._newest_at = 0.0
        self._place = Place(step=writer.record.step, epoch=writer.record.epoch)

    @property
    def place(self) -> Place:
        """How far the training has come."""
        return self._place

    def follow(self, before: Before) -> None:
        """What stands in `before` is not logged again. Call it once, before the first point of a file."""
        with self._lock:
            self._before = before

    def knows(self, points: Iterable[Point]) -> bool:
        """Whether the sessions before have logged any of these values."""
        return any(self._before.has(name, p.step, value) for p in points for name, value in p.values)

    def go_on(self) -> None:
        """The files go on where the session before stopped. That is on the store before the first row: a watcher that dies in between
        must not leave rows that nobody counts. StoreError where it cannot be written.
        """
        with self._lock:
            if not self._continues:
                self._continue_the_session_before()
        self._writer.publish()

    def take(self, points: Iterable[Point], file: int) -> None:
        """Log what is new of the points of one file, which come in its order. `file` is any number that stands for it."""
        for point in points:
            with self._lock:
                self._take(point, file)
            if self._unflushed >= FLUSH_EVERY:
                self._unflushed = 0
                self._log.flush(10.0)

    def log(self, step: int, epoch: float, values: Mapping[str, Any]) -> None:
        """Log values that a callback has at hand. Never raises and never waits for a disk."""
        with self._lock:
            if type(step) is int and 0 <= step <= MAX_STEP:
                names = [name for name in values if isinstance(name, str)] if isinstance(values, Mapping) else []
                self._go_back_if_earlier(step, names, to=step)
                self._write(Point(step, epoch, None, ()), values, names)
            else:
                self._log.log(step, epoch, values)  # it is counted there, with the reason

    def rows_until(self, step: int) -> int:
        """How many rows belong to a checkpoint of `step`: later ones are run again by whoever continues from it."""
        with self._lock:
            return self._steps.rows_until(step) if len(self._steps) else self._log.rows

    def _take(self, point: Point, file: int) -> None:
        values = [(name, value) for name, value in point.values if self._has_room(name)]
        fresh, begins = values, file not in self._files
        names = [name for name, _ in values]
        again = self._files.setdefault(file, Repeats()).see(point.step, names)
        if self._before.known and file not in self._passed:
            fresh = self._not_stored(point.step, values)
            if fresh:
                self._passed.add(file)
        if not fresh:
            return
        earlier = point.step - (begins or again)  # a new launch that begins at the last step logs that step again
        if self._go_back_if_earlier(earlier, [name for name, _ in fresh], to=point.step):
            fresh = values
        self._write(point, dict(fresh), [name for name, _ in fresh])

    def _not_stored(self, step: int, values: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """What of one point the sessions before have not logged. Nothing, where they know all of it; where only some of it, what they
        had no time to log: an equal value that was superseded since does not count.
        """
        known = [self._before.has(name, step, value) for name, value in values]
        if any(known) and not self._continues:
            self._continue_the_session_before()
        if all(known):
            return []
        if step >= self._back_to:
            return values
        return [(name, value) for name, value in values if fingerprint(name, step, value) not in self._before.newest]

    def _has_room(self, name: str) -> bool:
        if name in self._names:
            return True
        if len(self._names) >= NAMES_LIMIT:
            self._say(f"more than {NAMES_LIMIT:,} different metrics; further ones are not logged")
            return False
        self._names.add(name)
        return True

    def _continue_the_session_before(self) -> None:
        """All its rows count, also those after its last checkpoint: the trainer went on while nobody watched."""
        self._continues = True
        self._last = {**self._before.last, **self._last}
        reached = self._before.steps.step_before(self._before.steps.end)
        record = self._writer.record.resumed_from or ResumeRecord("", "", reached or 0, 0, reason=_WENT_ON)
        self._writer.change(resumed_from=replace(record, session=self._before.session, metric_rows=self._before.rows))
        if reached is not None and not len(self._steps):
            self._place = replace(self._place, step=reached, known=True)

    def _go_back_if_earlier(self, step: int, names: Iterable[str], *, to: int) -> bool:
        """Whether one of these was logged at a later step than `step`: then all from step `to` on is superseded."""
        if all(step >= self._last.get(name, step) for name in names):
            return False
        self._go_back(to)
        return True

    def _go_back(self, step: int) -> None:
        self._last.clear()
        self._back_to = min(self._back_to, step)
        kept, rows = self._steps.rows_before(step), self._log.rows
        rewinds = self._writer.record.rewinds
        if kept < rows and len(rewinds) < REWINDS_LIMIT:
            self._writer.change(rewinds=(*rewinds, (rows, kept)))
        elif kept < rows:
            self._say(f"it went back to earlier steps more than {REWINDS_LIMIT} times; only these are recorded")
        before = self._before.steps
        if not kept and self._continues:
            self._cut_the_session_before(before.rows_before(step))
        base = self._steps.step_before(kept) if kept else before.step_before(before.rows_before(step))
        if base is None:  # further back than the session before reaches; where from, only the step itself tells
            base = max(step - 1, 0) if self._continues else 0
        self._place = replace(self._place, step=base)

    def _cut_the_session_before(self, kept: int) -> None:
        record = self._writer.record.resumed_from
        if record is not None and record.session == self._before.session:
            self._writer.change(resumed_from=replace(record, metric_rows=min(record.metric_rows, kept)))

    def _write(self, point: Point, values: Mapping[str, Any], names: Iterable[str]) -> None:
        first = self._log.rows
        epoch = point.epoch if point.epoch is not None else self._place.epoch
        self._log.log(point.step, epoch, values, point.at)
        rows = self._log.rows
        if rows == first:
            return
        for row in range(first, rows):
            self._steps.add(row, point.step)
        self._last.update(dict.fromkeys(names, point.step))
        self._move(point, epoch, rows)
        self._unflushed += rows - first

    def _began_at(self, step: int) -> int:
        """Where the steps that this session has done begin: at the checkpoint that it continues from, if that fits."""
        record = self._writer.record.resumed_from
        return record.step if record is not None and record.step <= step else 0

    def _move(self, point: Point, epoch: float, rows: int) -> None:
        place = self._place
        base = place.step if place.known else self._began_at(point.step)
        trained_s = place.trained_s
        if point.at is not None:
            gap = point.at - self._newest_at
            trained_s += gap if 0 < gap <= GAP_S else 0.0
            self._newest_at = max(self._newest_at, point.at)
        ahead = point.step >= base
        self._place = Place(
            step=max(base, point.step),
            epoch=epoch if ahead else place.epoch,
            steps_done=place.steps_done + max(point.step - base, 0),
            trained_s=trained_s,
            rows=rows,
            known=True,
        )
