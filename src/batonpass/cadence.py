"""When the next save is due: what saves have cost so far, how long machines live, and the machine's known end."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from statistics import median

from batonpass.core.interval import MARGIN_S, Cost, Interval, Lives, tune
from batonpass.core.providers import provider_of
from batonpass.sync.active import ActiveSession
from batonpass.sync.machine import machine_age_s

RETRY_S = 5.0
"""After a save that could not be taken."""
_LAST = 10
"""Saves that are looked at: the cost is measured anew all the time."""


class Cadence:
    """Of one session. The training thread asks and tells of stalls; the writer and the service tell the rest."""

    def __init__(
        self,
        fixed_s: float | None = None,
        *,
        lives: Lives | None = None,
        ends_in_s: Iterable[float] = (),
        cores: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fixed_s`: the user's own interval. `ends_in_s`: when this machine is known to be taken away, seconds from now."""
        self._fixed_s = fixed_s
        self._lives = lives or Lives()
        self._monotonic = monotonic
        self._taken_at = monotonic()
        self._not_before = self._taken_at
        self._ends = sorted(self._taken_at + left for left in ends_in_s if left > 0)
        self._lock = threading.Lock()
        self._cores = cores or os.cpu_count() or 1
        self._stall_s: deque[float] = deque(maxlen=_LAST)
        self._commit_s: deque[float] = deque(maxlen=_LAST)
        self._send_cpu_s: deque[float] = deque(maxlen=_LAST)
        self._send_s: deque[float] = deque(maxlen=_LAST)

    @property
    def cost(self) -> Cost | None:
        """What one save costs; None before the first."""
        with self._lock:
            if not self._stall_s:
                return None
            measured = (self._stall_s, self._commit_s, self._send_cpu_s, self._send_s)
            return Cost(*(median(values) if values else 0.0 for values in measured))

    @property
    def interval(self) -> Interval:
        """How often, and why."""
        if self._fixed_s is not None:
            return Interval(self._fixed_s, "as you asked")
        return tune(self.cost, self._lives, cores=self._cores)

    @property
    def due(self) -> bool:
        """Time for the next save."""
        now = self._monotonic()
        if now < self._not_before:
            return False
        return now - self._taken_at >= self.interval.every_s or self.end_is_near

    @property
    def end_is_near(self) -> bool:
        """The machine's known end comes before another save could be safe, and this is the first boundary at which it is so."""
        return bool(self._ends) and self._monotonic() >= self._ends[0] - self._margin_s

    def refused(self) -> None:
        """A save was tried and not taken (the writer is busy, or it failed): it is due again soon, and nothing was learnt of its cost."""
        self._not_before = self._monotonic() + min(RETRY_S, self.interval.every_s)

    def taken(self, stall_s: float | None) -> None:
        """A save was taken just now; the training waited `stall_s` seconds. None: there was nothing new to save."""
        if stall_s is not None:
            with self._lock:
                self._stall_s.append(stall_s)
        self._taken_at = self._monotonic()
        while self._ends and self._taken_at >= self._ends[0] - self._margin_s:
            self._ends.pop(0)

    def committed(self, cpu_s: float) -> None:
        """It is whole on this disk, for so many seconds of processor time."""
        with self._lock:
            self._commit_s.append(cpu_s)

    def sent(self, took_s: float, cpu_s: float) -> None:
        """It is on the store: so long after it was begun, for so many seconds of processor time."""
        with self._lock:
            self._send_s.append(took_s)
            self._send_cpu_s.append(cpu_s)

    @property
    def _margin_s(self) -> float:
        cost = self.cost
        return MARGIN_S + 2 * (cost.send_s if cost else 0.0)


def cadence_of(active: ActiveSession, fixed_s: float | None, lives: Lives) -> Cadence:
    """The cadence of a session that begins; its service tells it what sending costs."""
    age_s = machine_age_s()
    limits_h = provider_of(active.joined.writer.record.host.provider).longest_h
    cadence = Cadence(fixed_s, lives=lives, ends_in_s=[3600 * limit - age_s for limit in limits_h])
    active.service.on_sent = cadence.sent
    return cadence
