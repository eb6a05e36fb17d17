"""Whether a file that says a step again means a trainer that began again there, or is one that always says a step several times."""

from __future__ import annotations

from collections.abc import Iterable

RARE = 20
"""Out of so many points at most one may repeat the step before it, for a repeat to mean something."""


class Repeats:
    """Of one file, whose points come in its order."""

    def __init__(self) -> None:
        self._points = 0
        self._repeats = 0
        self._step: int | None = None
        self._names: set[str] = set()

    def see(self, step: int, names: Iterable[str]) -> bool:
        """The next point. True where it gives a metric again at the step at which it was just given, and this file rarely does so."""
        self._points += 1
        repeats = step == self._step and not self._names.isdisjoint(names)
        if step != self._step or repeats:
            self._step, self._names = step, set()
        self._names.update(names)
        self._repeats += repeats
        return repeats and self._repeats * RARE <= self._points
