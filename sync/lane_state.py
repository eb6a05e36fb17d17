"""What one lane of the service is doing, how its last attempt went, and when the next one is due: shown, never raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from batonpass.core.errors import BatonpassError, StoppedError
from batonpass.core.trouble import POLICIES, Kind, kind_of, wait_s

REPEAT_AFTER_S = 600.0
"""The same complaint is printed again only after so long."""
STUCK_AFTER_S = 900.0
"""A job that runs so long without a byte moving is called stuck."""


@dataclass(slots=True)
class LaneState:
    """Thread-safe enough: written by its lane, read by anyone."""

    name: str
    say: Callable[[str], None]
    monotonic: Callable[[], float] = time.monotonic
    longest_wait_s: float = float("inf")
    """The lane is tried again after so long at the latest, whatever the trouble."""
    small_calls_work: Callable[[], bool] = lambda: False
    """Whether small calls get through meanwhile: it tells a daily cap from a rate limit."""
    ok: bool = True
    kind: Kind | None = None
    """What is wrong; None while all is well."""
    error: str = ""
    hint: str = ""
    failures: int = 0
    """Failed attempts since the last success."""
    attempts: int = 0
    """Attempts that have ended, whatever came of them."""
    running_since: float | None = None
    """When the work at hand last moved; None while there is none."""
    _due_at: float = 0.0
    _throttled_since: float | None = None
    _said: tuple[Kind, float] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def due(self) -> bool:
        """The wait after the last failure is over."""
        return self.ok or self.monotonic() >= self._due_at

    @property
    def needs_person(self) -> bool:
        """Something stands in the way that waiting alone does not remove."""
        return self.kind is not None and POLICIES[self.kind].needs_person

    def hurry(self) -> None:
        """Somebody waits: try again at the next wake-up, whatever the wait was to be."""
        self._due_at = 0.0

    def moved(self) -> None:
        """The work at hand is getting on."""
        if self.running_since is not None:
            self.running_since = self.monotonic()

    def got_through(self) -> None:
        """Something large reached the store: whatever is refused now and then, it is no daily cap."""
        self._throttled_since = None

    def run(self, work: Callable[[], None]) -> None:
        """Do one piece of work; a failure becomes a state, a hint and a retry when it is due."""
        self.running_since = self.monotonic()
        try:
            work()
        except StoppedError:
            pass  # asked to stop: neither a failure nor a recovery
        except Exception as error:  # noqa: BLE001  # whatever happens here must never reach the training
            self._failed(error)
        else:
            self._recovered()
        finally:
            self.running_since = None
            self.attempts += 1

    def as_dict(self) -> dict[str, str | int | float | bool]:
        """For the session's file and the status card. `next_try_s`: seconds until it is tried again by itself."""
        since = self.running_since
        return {
            "ok": self.ok,
            "kind": self.kind or "",
            "error": self.error,
            "hint": self.hint,
            "failures": self.failures,
            "next_try_s": 0.0 if self.ok else round(max(self._due_at - self.monotonic(), 0.0), 1),
            "stuck": since is not None and self.monotonic() - since > STUCK_AFTER_S,
        }

    def _failed(self, error: Exception) -> None:
        now = self.monotonic()
        kind = kind_of(error, throttled_for_s=self._throttled_for_s(now), small_calls_work=self.small_calls_work())
        if kind not in (Kind.THROTTLED, Kind.DAY_CAP):
            self._throttled_since = None
        elif self._throttled_since is None:
            self._throttled_since = now
        self.failures += 1
        retry_after_s: float | None = getattr(error, "retry_after_s", None)
        self._due_at = now + wait_s(kind, self.failures, retry_after_s=retry_after_s, at_most_s=self.longest_wait_s)
        self.error = error.message if isinstance(error, BatonpassError) else f"{type(error).__name__}: {error}"
        self.hint = _hint(error, kind)
        self.ok, self.kind = False, kind
        self._complain(kind, now)

    def _throttled_for_s(self, now: float) -> float:
        return now - self._throttled_since if self._throttled_since is not None else 0.0

    def _complain(self, kind: Kind, now: float) -> None:
        """Say it once, and again when it becomes something else or has lasted."""
        if self._said is None or self._said[0] is not kind or now - self._said[1] > REPEAT_AFTER_S:
            self._said = (kind, now)
            self.say(f"batonpass: {self.name}: {kind}: {self.error} ({self.hint}); training goes on")

    def _recovered(self) -> None:
        if not self.ok:
            self.say(f"batonpass: {self.name}: works again after {self.failures} failed attempts")
        self.ok, self.kind, self.error, self.hint, self.failures = True, None, "", "", 0
        self._due_at, self._throttled_since, self._said = 0.0, None, None


def _hint(error: Exception, kind: Kind) -> str:
    if kind is Kind.DAY_CAP:
        return "nothing to do: Drive takes 750 GB a day; metrics go on, and checkpoints are tried again every hour"
    if isinstance(error, BatonpassError) and error.hint:
        return error.hint
    return "it is tried again"
