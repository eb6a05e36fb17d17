"""Which session continued from which: the checkpoint to resume, the legs of the run's one story, and the work at risk.

Everything follows `ResumeRecord`s from the holder backwards, never the largest step and never a clock. Pure; nothing here reads a store.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from batonpass.core.model import CheckpointListing, Head, ResumeRecord, Session


class Role(StrEnum):
    """What a session is to the run's one story."""

    TRUNK = "trunk"
    """Its rows before `Leg.end_row` count; later ones were run again by its successor."""
    SUPERSEDED = "superseded"
    """It held the run, but nothing of it was continued: all its rows are ghosts."""
    BRANCH = "branch"
    """It did not hold the run, or lost it, and nothing of it was continued: kept, published, marked so."""


@dataclass(frozen=True, slots=True)
class Link:
    """One session on the way back from the holder."""

    session: Session
    cut: ResumeRecord | None
    """The successor's record of where it continued from; None for the first link and where the successor has no record."""
    counts: bool = True
    """False when a successor trained on without having continued from it."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The way back from the holder, newest session first.

    `gaps` says, one sentence each, what is missing or contradictory on that way: before resuming past a gap, read again and ask.
    """

    links: tuple[Link, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkpoint to try, or one that is passed over."""

    session: str
    listing: CheckpointListing
    proven: bool
    """The store, or a receipt, has proven every byte. False: handed over, its arrival is not proven."""
    passed_over: str = ""
    """Why it must not be tried, in a few words; empty when it may be."""

    @property
    def key(self) -> str:
        """Key of the manifest."""
        return self.listing.key

    @property
    def step(self) -> int:
        """The step it was taken at."""
        return self.listing.step


@dataclass(frozen=True, slots=True)
class Leg:
    """One session's part in the story of the run."""

    session: str
    role: Role
    end_row: int | None
    """Metric rows `0 <= row < end_row` count; None = all of them. Always 0 unless `role` is TRUNK."""
    began_from: str | None = None
    """The session it continued from (for a branch: where it left); None when it began at step 0."""
    began_step: int = 0
    """The step it continued from."""
    began_row: int = 0
    """Rows of `began_from` up to this number are its past."""
    superseded_by: str | None = None
    """The trunk session that runs its remaining rows again; None for the newest leg and where there is none."""
    rewinds: tuple[tuple[int, int], ...] = ()
    """`Session.rewinds`."""


class Risk(NamedTuple):
    """What would be lost if the machine vanished now: finished steps, and seconds of training."""

    steps: int
    seconds: float


def held_the_run(session: Session) -> bool:
    """Whether the session held the run at some time: it is no branch, or became one by losing the run."""
    return session.branch is None or session.branch.startswith("lost to ")


def trace(head: Head, sessions: Iterable[Session], *, tip: str | None = None) -> Lineage:
    """The way back from the holder, or from the session `tip` (to continue a branch).

    A released run (`holder` None) goes back from its last holder: the highest term. A session without a `ResumeRecord` of its own
    is followed by the holder of the term before. Missing files and circles end up in `gaps`, never in an exception.
    """
    known = {s.id: s for s in sessions}
    gaps: list[str] = []
    links: list[Link] = []
    wanted = tip or head.holder
    if wanted is not None and wanted not in known:
        gaps.append(f"the file of session {wanted}, which holds the run, is not there")
    current = known.get(wanted) if wanted is not None else None
    holders = _Holders(head, known)
    seen = {wanted}
    current = current or holders.before(None, seen)
    cut: ResumeRecord | None = None
    counts = True
    while current is not None:
        links.append(Link(current, cut, counts))
        seen.add(current.id)
        record = current.resumed_from
        before = known.get(record.session) if record is not None else None
        if record is not None and record.session in seen:
            gaps.append(f"session {current.id} says it continued from {record.session}, which comes after it")
            before = None
        elif record is not None and before is None:
            gaps.append(f"the file of session {record.session}, from which {current.id} continued, is not there")
        cut = record if before is not None else None
        if before is None:
            counts = counts and not did_anything(current)
            before = holders.before(current.term, seen)
        current = before
    return Lineage(tuple(links), tuple(gaps))


def resume_candidates(
    head: Head,
    sessions: Iterable[Session],
    *,
    deleted: Collection[str] = (),
    arrived: Collection[str] = (),
    tip: str | None = None,
) -> list[Candidate]:
    """The checkpoints to resume from, best first: the holder's newest, its older ones, the one it resumed from, that session's
    older ones, and so on back. Never one that a session on the way wrote after its successor had left it.

    `deleted` and `arrived` are manifest keys: those that an app asks to remove, and those that receipts prove. `tip` starts from
    another session than the holder. Those in quarantine or asked to be removed stay in the list with `passed_over` set. A caller
    looks at `trace(...).gaps` too: a session's file that has not arrived yet may hold a newer checkpoint.
    """
    known = tuple(sessions)
    quarantined = {key: s.id for s in known for key in s.quarantined}
    found: dict[str, Candidate] = {}
    for link in trace(head, known, tip=tip).links:
        for listing in reversed(_listings_until(link)):
            reason = ""
            if listing.key in quarantined:
                reason = f"found corrupt by session {quarantined[listing.key]}"
            elif listing.key in deleted:
                reason = "its removal was asked for"
            proven = listing.proven or listing.key in arrived
            found.setdefault(listing.key, Candidate(link.session.id, listing, proven, reason))
    return list(found.values())


def legs(head: Head, sessions: Iterable[Session]) -> list[Leg]:
    """Every session once: first the trunk, oldest first, then the others in the order of `head.sessions`.

    A trunk session counts up to the `metric_rows` at which its successor continued.
    """
    known = {s.id: s for s in sessions}
    links = trace(head, known.values()).links
    trunk: list[Leg] = []
    successor: str | None = None
    for link in links:
        end_row = (max(link.cut.metric_rows, 0) if link.cut else None) if link.counts else 0
        role = Role.TRUNK if link.counts else Role.SUPERSEDED
        trunk.append(_leg(link.session, role, end_row, successor))
        successor = link.session.id
    on_trunk = {leg.session for leg in trunk}
    order = dict.fromkeys((*head.sessions, *known))
    others = [known[i] for i in order if i in known and i not in on_trunk]
    highest = list(accumulate((link.session.term for link in reversed(links)), max))
    return trunk[::-1] + [_off_trunk(session, links, highest) for session in others]


def newest_durable(session: Session, *, arrived: Collection[str] = ()) -> CheckpointListing | None:
    """The session's own newest checkpoint that is listed, proven (by the store or a receipt) and not in its quarantine."""
    for listing in reversed(session.checkpoints):
        if (listing.proven or listing.key in arrived) and listing.key not in session.quarantined:
            return listing
    return None


def work_at_risk(session: Session, *, arrived: Collection[str] = ()) -> Risk:
    """Steps and seconds of training since the session's last durable checkpoint, or since it began when it has none yet."""
    newest = newest_durable(session, arrived=arrived)
    if newest is not None:
        return Risk(max(session.step - newest.step, 0), max(session.trained_s - newest.trained_s, 0.0))
    began = session.resumed_from.step if session.resumed_from else 0
    return Risk(max(session.step - began, 0), max(session.trained_s, 0.0))


class _Holders:
    """The sessions that held the run, by term; the later listed one wins a tie. Sorted once: a run may have thousands of sessions."""

    def __init__(self, head: Head, known: dict[str, Session]) -> None:
        order = {session_id: place for place, session_id in enumerate((*known, *head.sessions))}
        self._sessions = sorted((s for s in known.values() if held_the_run(s)), key=lambda s: (s.term, order[s.id]))
        self._terms = [s.term for s in self._sessions]

    def before(self, term: int | None, seen: Collection[str | None]) -> Session | None:
        """The one that held the run last before `term` (None: at all) and is not in `seen`."""
        place = len(self._terms) if term is None else bisect_left(self._terms, term)
        places = range(place - 1, -1, -1)
        return next((s for s in map(self._sessions.__getitem__, places) if s.id not in seen), None)


def did_anything(session: Session) -> bool:
    """Whether it trained, logged or saved."""
    return session.rows > 0 or session.steps_done > 0 or bool(session.checkpoints)


def _listings_until(link: Link) -> tuple[CheckpointListing, ...]:
    """Oldest first: all of the session's checkpoints up to the one that its successor continued from."""
    listings = link.session.checkpoints
    if link.cut is None:
        return listings
    for place, listing in enumerate(listings):
        if listing.key == link.cut.checkpoint:
            return listings[: place + 1]
    rows, step = link.cut.metric_rows, link.cut.step
    return tuple(entry for entry in listings if entry.metric_rows <= rows and entry.step <= step)


def _leg(session: Session, role: Role, end_row: int | None, superseded_by: str | None) -> Leg:
    record = session.resumed_from
    return Leg(
        session.id,
        role,
        end_row,
        began_from=record.session if record else None,
        began_step=max(record.step, 0) if record else 0,
        began_row=max(record.metric_rows, 0) if record else 0,
        superseded_by=superseded_by,
        rewinds=session.rewinds,
    )


def _off_trunk(session: Session, links: tuple[Link, ...], highest: list[int]) -> Leg:
    """A session that nobody continued. `links` are newest first; `highest` is the largest term up to each of them, oldest first."""
    place = bisect_right(highest, session.term)
    later = links[-1 - place].session.id if place < len(links) else None
    return _leg(session, Role.BRANCH if session.branch else Role.SUPERSEDED, 0, None if session.branch else later)
