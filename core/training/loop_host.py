"""What a training loop asks of whoever owns it."""

from __future__ import annotations

from typing import Protocol


class LoopHost(Protocol):
    """Who owns the loop. Everything is called on the training thread."""

    def on_enter(self) -> None:
        """A loop is entered: the lease is taken back, or the error says why not."""

    def on_boundary(self) -> None:
        """Nothing is half done: the only place where a snapshot may be taken. After each step, and where an epoch begins or the last
        one has ended, so that what an epoch's tail did can be saved.
        """

    def say(self, line: str) -> None:
        """Tell the user."""

    def restore_last(self) -> bool:
        """Bring the last checkpoint back (objects and this loop); False if there is none."""
