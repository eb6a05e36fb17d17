"""What continuing from a checkpoint costs: the work behind it that runs again, and the sessions of which nobody can say. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from batonpass.core.lineage import Lineage, Link, held_the_run
from batonpass.core.model import Head, Session
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


class Again(NamedTuple):
    """What the resumes of a run have run again, all together."""

    steps: int
    is_least: bool
    """A session among those that were followed did not say itself how far it came: a lower bound."""


def left_behind(way: Iterable[Session], step: int) -> Session | None:
    """Whose steps are run again by who continues from a checkpoint at `step`: those up to the last step of the first session on the
    way, newest first, that got past it.
    """
    return next((session for session in way if session.step > step), None)


def loss_behind(
    lineage: Lineage, head: Head, known: Iterable[str], *, session: str, step: int, trained_s: float
) -> Loss:
    """The loss of continuing from `session`'s checkpoint at `step`, which that session reached after `trained_s` seconds.

    `known` are the sessions whose files could be read or need not be. Only sessions on the way back from the holder count: what a
    deliberate rewind left behind is not lost by continuing near where the rewound leg died.
    """
    unread = _later_unread(head, set(known), session)
    way = _way_to(lineage, session)
    last = left_behind((link.session for link in way), step)
    if last is None:
        return Loss(unread=unread, cut_off=bool(way) and not said_its_end(way[0].session))
    reached = next(place for place, link in enumerate(way) if link.session is last)
    seconds = sum(link.session.trained_s for link in way[reached:-1]) + _seconds_left(
        way[-1], reached, len(way), trained_s
    )
    return Loss(last.step - step, seconds, last.id, unread, cut_off=not said_its_end(last))


def run_again(sessions: Iterable[Session]) -> Again:
    """The steps that each session's start called run again, added up over a run whose every `Session` is given.

    A session that came no further than the checkpoint it continued from ran nothing again; the next one does, and counts it.
    """
    known = {s.id: s for s in sessions}
    holders = sorted((s for s in known.values() if held_the_run(s)), key=lambda s: s.term)
    terms = [s.term for s in holders]
    found = []
    for session in holders:
        record, place = session.resumed_from, bisect_left(terms, session.term)
        if record is None or session.step <= record.step or not place:
            continue
        before = holders[place - 1]
        last = left_behind(_followed(before, record.session, known), record.step)
        found.append((last.step - record.step if last else 0, not said_its_end(last or before)))
    return Again(sum(steps for steps, _ in found), any(least for _, least in found))


def _followed(newest: Session, until: str, known: Mapping[str, Session]) -> Iterator[Session]:
    """From `newest` back to the session `until`, each that the one before it here continued from."""
    current, seen = newest, {newest.id}
    yield current
    while current.id != until and current.resumed_from is not None:
        before = known.get(current.resumed_from.session)
        if before is None or before.id in seen:
            return
        yield before
        seen.add(before.id)
        current = before


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
