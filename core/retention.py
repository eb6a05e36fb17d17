"""Which checkpoints stay and which may go, and why: one pure decision from the session files of all branches.

Nothing is deleted here. Whoever executes the plan removes the manifest first and its files after a grace period (docs/FORMAT.md). Sizes count
a file shared by two checkpoints twice, so the space really used is at most what a plan says.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from batonpass.core.errors import UsageError
from batonpass.core.lineage import resume_candidates
from batonpass.core.model import CheckpointListing, Head, Session

NEWER_HANDED_OVER = 3
"""A checkpoint whose arrival nobody has proven goes only when this many newer ones are handed over ..."""
HANDED_OVER_FOR = timedelta(hours=1)
"""... the oldest of them this long ago."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants to keep."""

    keep_last: int = 3
    """At least 1."""
    best_by: str | None = None
    """A metric's name: the checkpoints with its best values stay."""
    best_is_low: bool = True
    keep_best: int = 1
    every_steps: int | None = None
    """Keep the first checkpoint at or after each multiple of this many steps."""
    milestones: frozenset[int] = frozenset()
    """Steps whose checkpoints stay."""
    budget_bytes: int | None = None
    """What all checkpoints may take together; None = no limit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One checkpoint and why it stays or goes."""

    session: str
    listing: CheckpointListing
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """Newest of the lineage first, then branches. Applied twice, the second plan removes nothing."""

    keep: tuple[Verdict, ...]
    remove: tuple[Verdict, ...]
    over_budget_bytes: int = 0
    """By how much what must stay exceeds the budget; 0 when it does not."""

    @property
    def freed_bytes(self) -> int:
        """What removing would free at most, in bytes."""
        return sum(v.listing.size_bytes for v in self.remove)


def plan_retention(
    head: Head,
    sessions: Iterable[Session],
    policy: Policy,
    *,
    now: datetime,
    arrived: Collection[str] = (),
    asked: Collection[str] = (),
) -> RetentionPlan:
    """What stays and what may go.

    `now` is the store's clock. `arrived`: manifest keys that receipts prove. `asked`: manifest keys whose removal the user asked for;
    they go unless they are protected. Protected, whatever the policy says: the newest durable checkpoint (of the lineage, if it has any); one that a
    session resumed from, until that session has a durable one of its own; one in quarantine; and one whose arrival is not proven,
    until a newer one is durable or enough newer ones are handed over (which also stands for "a durable one of its own" where the
    store proves nothing). UsageError when the policy means nothing, or the budget is below
    two checkpoints.
    """
    known = tuple(sessions)
    every = _by_lineage(head, known, frozenset(arrived))
    _check(policy, every)
    protected = _protected(every, known, now)
    wanted = _wanted(every, policy)
    for key in asked:
        wanted.pop(key, None)
    kept, over = _fit(every, protected, wanted, policy.budget_bytes)
    keep = tuple(Verdict(c.session, c.listing, kept[c.key]) for c in every if c.key in kept)
    remove = tuple(
        Verdict(c.session, c.listing, (_why_gone(c.key, asked, wanted),)) for c in every if c.key not in kept
    )
    return RetentionPlan(keep, remove, over)


@dataclass(frozen=True, slots=True)
class _Entry:
    session: str
    listing: CheckpointListing
    durable: bool
    """Proven, and not in quarantine."""
    on_lineage: bool
    quarantined: bool

    @property
    def key(self) -> str:
        return self.listing.key


def _by_lineage(head: Head, sessions: tuple[Session, ...], arrived: frozenset[str]) -> list[_Entry]:
    """Every listed checkpoint once: those of the lineage newest first, then the others, each session's newest first."""
    quarantined = {key for s in sessions for key in s.quarantined}
    found: dict[str, _Entry] = {}

    def add(session: str, listing: CheckpointListing, *, on_lineage: bool) -> None:
        bad = listing.key in quarantined
        durable = not bad and (listing.proven or listing.key in arrived)
        found.setdefault(listing.key, _Entry(session, listing, durable, on_lineage, bad))

    for candidate in resume_candidates(head, sessions):
        add(candidate.session, candidate.listing, on_lineage=True)
    for session in sessions:
        for listing in reversed(session.checkpoints):
            add(session.id, listing, on_lineage=False)
    return list(found.values())


def _check(policy: Policy, every: list[_Entry]) -> None:
    if policy.keep_last < 1 or policy.keep_best < 0 or (policy.every_steps is not None and policy.every_steps < 1):
        raise UsageError(
            "a retention policy keeps at least the last checkpoint, and every n steps means n of 1 or more",
            hint="keep_last=3 is the default",
        )
    sizes = sorted((e.listing.size_bytes for e in every), reverse=True)
    least = 2 * sizes[0] if sizes else 0
    if policy.budget_bytes is not None and policy.budget_bytes < least:
        raise UsageError(
            f"a budget of {policy.budget_bytes:,} bytes is below two checkpoints: {least:,} bytes",
            hint="the newest one may only go when a newer one has arrived, so there must be room for two",
        )


def _protected(every: list[_Entry], sessions: tuple[Session, ...], now: datetime) -> dict[str, str]:
    """Manifest key -> why it must stay whatever the user wants."""
    reasons: dict[str, str] = {}
    newest = next((e for e in every if e.durable), None)  # the lineage comes first, branches only when it has none
    if newest is not None:
        reasons[newest.key] = "the newest durable one"
    for session in sessions:
        own = [e for e in every if e.session == session.id and not e.quarantined]
        if session.resumed_from is not None and not _is_replaced(own, now):
            reasons.setdefault(session.resumed_from.checkpoint, f"session {session.id} continued from it")
    for place, entry in enumerate(every):
        newer = [e for e in every[:place] if not e.quarantined and _one_line(e, entry)]
        if entry.quarantined:
            reasons.setdefault(entry.key, "in quarantine: damaged ones are kept to look at")
        elif not entry.durable and not _is_replaced(newer, now):
            reasons.setdefault(entry.key, "its arrival is not proven, and too few newer ones are there")
    return reasons


def _one_line(left: _Entry, right: _Entry) -> bool:
    return left.on_lineage if right.on_lineage else left.session == right.session


def _is_replaced(newer: list[_Entry], now: datetime) -> bool:
    """Whether `newer` (newest first) make an older one dispensable: one is durable, or enough are handed over for long enough."""
    if any(e.durable for e in newer):
        return True
    return len(newer) >= NEWER_HANDED_OVER and now - newer[-1].listing.published_at >= HANDED_OVER_FOR


def _wanted(every: list[_Entry], policy: Policy) -> dict[str, list[tuple[int, str]]]:
    """Manifest key -> (rank, reason) for each wish that it fulfils. Under a budget, low ranks go first."""
    whole = [e for e in every if not e.quarantined]
    line = [e for e in whole if e.on_lineage]
    wanted: dict[str, list[tuple[int, str]]] = {}
    for entry, reason in _spaced(line, policy.every_steps):
        wanted.setdefault(entry.key, []).append((0, reason))
    tips = {e.session: e for e in reversed(whole) if not e.on_lineage}
    for entry in tips.values():
        wanted.setdefault(entry.key, []).append((1, f"the newest of the branch of session {entry.session}"))
    for place, entry in enumerate(line[: policy.keep_last], 1):
        wanted.setdefault(entry.key, []).append((2, f"number {place} of the last {policy.keep_last}"))
    for place, entry in enumerate(_best(whole, policy)[: policy.keep_best], 1):
        wanted.setdefault(entry.key, []).append((3, f"number {place} by {policy.best_by}"))
    for entry in (e for e in whole if e.listing.step in policy.milestones):
        wanted.setdefault(entry.key, []).append((4, f"milestone {entry.listing.step:,}"))
    return wanted


def _spaced(line: list[_Entry], every_steps: int | None) -> list[tuple[_Entry, str]]:
    """The oldest checkpoint at or after each multiple of `every_steps`; `line` is newest first."""
    if every_steps is None:
        return []
    firsts: dict[int, _Entry] = {}
    for entry in reversed(line):
        firsts.setdefault(entry.listing.step // every_steps, entry)
    return [(e, f"the first from step {n * every_steps:,} on") for n, e in firsts.items() if n > 0]


def _best(whole: list[_Entry], policy: Policy) -> list[_Entry]:
    """Best first; of equals the newer first. Without the metric, or with NaN, a checkpoint is not among them."""
    if policy.best_by is None:
        return []
    sign = 1.0 if policy.best_is_low else -1.0
    values = [(sign * e.listing.metrics.get(policy.best_by, math.nan), e) for e in whole]
    return [e for value, e in sorted((v for v in values if not math.isnan(v[0])), key=lambda v: v[0])]


def _fit(
    every: list[_Entry], protected: dict[str, str], wanted: dict[str, list[tuple[int, str]]], budget_bytes: int | None
) -> tuple[dict[str, tuple[str, ...]], int]:
    """What is kept (manifest key -> reasons), and the bytes above the budget. The least wanted, oldest first, makes room."""
    kept: dict[str, tuple[str, ...]] = {}
    for entry in every:
        reasons = [protected[entry.key]] if entry.key in protected else []
        reasons += [reason for _, reason in wanted.get(entry.key, ())]
        if reasons:
            kept[entry.key] = tuple(reasons)
    if budget_bytes is None:
        return kept, 0
    total = sum(e.listing.size_bytes for e in every if e.key in kept)
    spare = [e for e in reversed(every) if e.key in kept and e.key not in protected]
    for entry in sorted(spare, key=lambda e: max(rank for rank, _ in wanted[e.key])):
        if total <= budget_bytes:
            break
        del kept[entry.key]
        total -= entry.listing.size_bytes
    return kept, max(total - budget_bytes, 0)


def _why_gone(key: str, asked: Collection[str], wanted: dict[str, list[tuple[int, str]]]) -> str:
    if key in asked:
        return "its removal was asked for"
    return "no room within the budget" if key in wanted else "nothing asks for it"
