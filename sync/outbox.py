"""Which checkpoint is sent next: what is half sent finishes, and of what waits the newest wins. No thread, no I/O; its owner holds a lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batonpass.core.model import Manifest

PATIENCE = 3
"""A half-sent checkpoint that fails so often without getting on makes way for a newer one."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A committed checkpoint on this disk."""

    directory: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """(step, session, attempt), as names on this disk have it."""
        return f"{self.manifest.step}-{self.manifest.session}-{self.manifest.attempt}"


class Outbox:
    """At most one checkpoint is being sent, and at most one waits behind it."""

    def __init__(self) -> None:
        self.waiting: Parcel | None = None
        self.sending: Parcel | None = None
        self.skipped = 0
        """Checkpoints that a newer one overtook while they waited."""
        self.lost = 0
        """Checkpoints whose files were no longer on this disk when they were to be sent."""
        self._idle_failures = 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits and nothing is being sent."""
        return self.waiting is None and self.sending is None

    @property
    def names(self) -> set[str]:
        """What must stay on this disk."""
        return {parcel.name for parcel in (self.sending, self.waiting) if parcel}

    def add(self, parcel: Parcel) -> None:
        """It replaces one that still waits."""
        self.skipped += self.waiting is not None
        self.waiting = parcel

    def take(self) -> Parcel | None:
        """What to send now: what was begun before, else what waits."""
        if self.sending is None:
            self.sending, self.waiting = self.waiting, None
            self._idle_failures = 0
        return self.sending

    def done(self) -> None:
        """It is on the store."""
        self.sending = None

    def failed(self, *, gone: bool, keep: bool, moved: bool) -> None:
        """It did not get through. `gone`: its files are no longer on this disk; `keep`: what the store has of it is worth finishing;
        `moved`: the store has more of it than before this attempt.
        """
        parcel, self.sending = self.sending, None
        self._idle_failures = 0 if moved else self._idle_failures + 1
        if parcel is None:
            return
        if gone:
            self.lost += 1
            return
        if keep and self._idle_failures < PATIENCE:
            self.sending = parcel
        elif self.waiting is None:
            self.waiting = parcel
        else:
            self.skipped += 1
