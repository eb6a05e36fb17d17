"""What one lane of the service is doing and how its last attempt went: shown, never raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from batonpass.core.errors import BatonpassError, StoppedError

REPEAT_AFTER_S = 600.0
"""The same complaint is printed again only after so long."""
STUCK_AFTER_S = 900.0
"""A job that runs so long without moving is called stuck."""


@dataclass(slots=True)
class LaneState:
    """Thread-safe enough: written by its lane, read by anyone."""

    name: str
    say: Callable[[str], None]
    monotonic: Callable[[], float] = time.monotonic
    ok: bool = True
    error: str = ""
    hint: str = ""
    failures: int = 0
    """Failed attempts since the last success."""
    running_since: float | None = None
    _said_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, work: Callable[[], None]) -> None:
        """Do one piece of work; a failure becomes a state, a hint and a retry at the next wake-up."""
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

    def as_dict(self) -> dict[str, str | int | bool]:
        """For the session's file and the status card."""
        stuck = self.running_since is not None and self.monotonic() - self.running_since > STUCK_AFTER_S
        return {"ok": self.ok, "error": self.error, "hint": self.hint, "failures": self.failures, "stuck": stuck}

    def _failed(self, error: Exception) -> None:
        self.ok = False
        self.failures += 1
        self.error = error.message if isinstance(error, BatonpassError) else f"{type(error).__name__}: {error}"
        self.hint = error.hint if isinstance(error, BatonpassError) else "it is tried again at the next tick"
        now = self.monotonic()
        if self._said_at is None or now - self._said_at > REPEAT_AFTER_S:
            self._said_at = now
            self.say(f"batonpass: {self.name}: {self.error} ({self.hint}); training goes on")

    def _recovered(self) -> None:
        if not self.ok:
            self.say(f"batonpass: {self.name}: works again after {self.failures} failed attempts")
        self.ok, self.error, self.hint, self.failures, self._said_at = True, "", "", 0, None
