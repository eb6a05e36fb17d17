"""The processes of a training as its run sees them, and a process alone, which has nobody to talk to. Of several, the lead is in
`leading` and the others in `following`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batonpass.core.training.company import Company
    from batonpass.core.training.read import Loaded

Take = Callable[[], bool]
"""Takes a snapshot; never raises (`Saver.take`)."""


class Team(Protocol):
    """The processes of a training, as its run sees them."""

    @property
    def company(self) -> Company | None:
        """Who else takes part in a snapshot."""

    def boundary(self, take: Take, *, wanted: bool) -> bool:
        """At a step boundary of the loop: save if it is wanted and all of them can be told. True when it was done."""

    def save(self, take: Take) -> bool:
        """Save here, where every process waits for it. True when it was done."""

    def outcome(self) -> AbstractContextManager[None]:
        """A context: an error in it is raised in every process."""

    def share(self, loaded: Loaded | None) -> None:
        """Give the others the checkpoint that is to be restored; None: there is none."""

    def applied(self) -> AbstractContextManager[None]:
        """A context for what every process does with that checkpoint: an error in one of them is raised in all."""

    def same(self, value: bool) -> bool:  # it is the answer that is passed on
        """The lead's answer, in every process."""

    def part(self) -> None:
        """The run is finished: there is nothing more to say."""


class Alone:
    """One process: nobody to tell. See `Team`."""

    company = None

    def boundary(self, take: Take, *, wanted: bool) -> bool:
        """See `Team`."""
        return wanted and take()

    def save(self, take: Take) -> bool:
        """See `Team`."""
        return take()

    @contextmanager
    def outcome(self) -> Iterator[None]:
        """See `Team`."""
        yield

    def share(self, loaded: Loaded | None) -> None:
        """See `Team`."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """See `Team`."""
        yield

    def same(self, value: bool) -> bool:  # see `Team`
        """See `Team`."""
        return value

    def part(self) -> None:
        """See `Team`."""
