"""What continuing from a checkpoint costs: the work behind it that runs again, and the sessions of which nobody can say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batonpass.core.lineage import Lineage, Link
from batonpass.core.model import Head
from batonpass.core.states import said_its_end


@dataclass(frozen=True, slots=True)
class Loss:
    """What is run again when a run is continued from one of its checkpoints."""

    steps: int = 0
    seconds: float = 0.0
    last: str | None = None
    """The session whose steps run again up to its last one; None when nothing that can be read runs again."""
    unread: tuple[str, ...] = ()
    """Sessions that came later and whose files could not be read: nobody knows how far they came."""
    cut_off: bool = False
    """The last session did not say itself how it ended: what it trained after its last words is not known."""

    @property
    def is_least(self) -> bool:
        """`steps` and `seconds` are lower bounds."""
        return self.cut_off or bool(self.unread)


def loss_behind(
    lineage: Lineage, head: Head, known: Iterable[str], *, session: str, step: int, trained_s: float
) -> Loss:
    """The loss of continuing from `session`'s checkpoint at `step`, which that session reached after `trained_s` seconds.

    `known` are the sessions whose files could be read or need not be. Only sessions on the way back from the holder count: what a
    deliberate rewind left behind is not lost by continuing near where the rewound leg died.
    """
    unread = _later_unread(head, set(known), session)
    way = _way_to(lineage, session)
    reached = next((place for place, link in enumerate(way) if link.session.step > step), None)
    if reached is None:
        return Loss(unread=unread)
    seconds = sum(link.session.trained_s for link in way[reached:-1]) + _seconds_left(
        way[-1], reached, len(way), trained_s
    )
    last = way[reached].session
    return Loss(last.step - step, seconds, last.id, unread, cut_off=not said_its_end(last))


def _way_to(lineage: Lineage, session: str) -> tuple[Link, ...]:
    """The links from the newest back to `session`; empty when it is not on the way."""
    for place, link in enumerate(lineage.links):
        if link.session.id == session:
            return lineage.links[: place + 1]
    return ()


def _seconds_left(link: Link, reached: int, length: int, trained_s: float) -> float:
    """What `link`'s session trained behind the checkpoint: all of it, or up to where a later session that counts took over."""
    end_s = link.session.trained_s
    if reached < length - 1 and link.cut is not None:
        taken = (entry.trained_s for entry in link.session.checkpoints if entry.key == link.cut.checkpoint)
        end_s = next(taken, trained_s)
    return max(end_s - trained_s, 0.0)


def _later_unread(head: Head, known: set[str], session: str) -> tuple[str, ...]:
    """Every claim adds its session at the end of `head.sessions`; one that stands before `session` was followed, and hides nothing."""
    order = list(head.sessions)
    later = order[order.index(session) + 1 :] if session in order else order
    return tuple(each for each in later if each not in known)
