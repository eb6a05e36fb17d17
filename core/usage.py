"""What each account has used: machine hours, how long machines stayed, the rest before them, and the GPUs received.

Pure arithmetic over session records, by the machines' own clocks. It counts; it never says which account to take next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from batonpass.core.model import Session
from batonpass.core.states import LOST_AFTER_S

ONE_STAY_WITHIN = timedelta(minutes=30)
"""Two sessions on one machine this close together are one stay of that machine (a kernel restart, a second run)."""
SAME_DAY = timedelta(hours=24)
NO_PROVIDER = "other"


class Ending(StrEnum):
    """How a stay on a machine is known to have ended."""

    BY_YOU = "ended by you"
    """Finished, closed, stopped, failed or restarted: the machine could have stayed longer (a censored length)."""
    VANISHED = "vanished"
    """The machine fell silent without a word. Why is not known."""
    STILL_THERE = "still there"
    """It beat not long ago (a censored length)."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One machine's stay: all sessions on it that followed each other closely, on one account."""

    account: str
    provider: str
    machine: str
    began: datetime
    last_seen: datetime
    ending: Ending
    sessions: tuple[str, ...]
    gpus: tuple[str, ...]
    """Names of its GPUs; empty when it had none."""
    rest_s: float | None = None
    """Seconds between the end of the account's stay before and the beginning of this one; 0 when they overlap, None for the first."""

    @property
    def length_s(self) -> float:
        """Seconds from its first sign of life to its last."""
        return (self.last_seen - self.began).total_seconds()

    @property
    def censored(self) -> bool:
        """True when the length is only a lower bound of how long the provider would have let it run."""
        return self.ending is not Ending.VANISHED


@dataclass(frozen=True, slots=True)
class AccountUse:
    """What one account has used. Machine hours: two machines at once count twice."""

    account: str
    hours_24h: float
    hours_7d: float
    hours_30d: float
    stays: tuple[Stay, ...]
    """Oldest first."""
    gpus: dict[str, int]
    """Name of a GPU (as "2 x Tesla T4" where there were two; "no GPU") -> number of stays that had it; the sum is n."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """How many machines were held at the same time."""

    now: int
    most: int
    most_at: datetime | None
    """When it last became so many; None without any stay."""


@dataclass(frozen=True, slots=True)
class SharedProvider:
    """One run used two accounts of one provider within 24 hours: worth one calm line about that provider's rules."""

    run_id: str
    provider: str
    accounts: tuple[str, ...]
    """Labels as typed, sorted."""
    at: datetime
    """When it was last so."""


def last_seen(session: Session) -> datetime:
    """The last sign of life of a session: its end, or its last heartbeat. Never before its start."""
    return max(session.end.at if session.end else session.heartbeat_at, session.started_at)


def stays(sessions: Iterable[Session], now: datetime) -> list[Stay]:
    """Every stay of every machine, oldest first. `now` tells a machine that is still there from one that vanished."""
    groups: dict[tuple[str, str], list[list[Session]]] = {}
    until: dict[tuple[str, str], datetime] = {}
    for session in sorted(sessions, key=lambda s: (s.started_at, s.id)):
        key = (session.account, session.host.machine)
        found = groups.setdefault(key, [])
        if found and session.started_at - until[key] <= ONE_STAY_WITHIN:
            found[-1].append(session)
            until[key] = max(until[key], last_seen(session))
        else:
            found.append([session])
            until[key] = last_seen(session)
    single = sorted((_stay(group, now) for found in groups.values() for group in found), key=lambda s: s.began)
    return _with_rest(single)


def account_use(sessions: Iterable[Session], now: datetime) -> dict[str, AccountUse]:
    """What each account has used until `now`, by its label, sorted."""
    every = stays(sessions, now)
    use = {}
    by_account: dict[str, list[Stay]] = {}
    for stay in every:
        by_account.setdefault(stay.account, []).append(stay)
    for account, found in sorted(by_account.items()):
        own = tuple(found)
        day, week, month = (_hours(own, now - timedelta(days=days), now) for days in (1, 7, 30))
        use[account] = AccountUse(account, day, week, month, own, dict(Counter(_gpu_label(s.gpus) for s in own)))
    return use


def at_once(single: Iterable[Stay]) -> AtOnce:
    """Machines held at one moment, and the most that ever were. One that ends as another begins is not counted with it."""
    every = list(single)
    moves = sorted([(s.last_seen, -1) for s in every] + [(s.began, 1) for s in every])
    held, most, most_at = 0, 0, None
    for at, change in moves:
        held += change
        if change > 0 and held >= most:
            most, most_at = held, at
    return AtOnce(sum(s.ending is Ending.STILL_THERE for s in every), most, most_at)


def shared_providers(sessions: Iterable[Session]) -> list[SharedProvider]:
    """Every run that used two accounts of one provider with less than 24 hours between them, the latest first.

    Machines that belong to no provider (one's own computers) never count.
    """
    groups: dict[tuple[str, str], list[Session]] = {}
    for session in sessions:
        if session.host.provider != NO_PROVIDER:
            groups.setdefault((session.run_id, session.host.provider), []).append(session)
    found = []
    for (run_id, provider), group in groups.items():
        close = _close_to_another_account(group)
        if close:
            accounts = tuple(sorted({s.account for s in close}))
            found.append(SharedProvider(run_id, provider, accounts, max(last_seen(s) for s in close)))
    return sorted(found, key=lambda f: (f.at, f.run_id), reverse=True)


def _stay(group: list[Session], now: datetime) -> Stay:
    last = max(group, key=lambda s: (last_seen(s), s.id))
    if last.end is not None:
        ending = Ending.BY_YOU
    elif (now - last_seen(last)).total_seconds() < LOST_AFTER_S:
        ending = Ending.STILL_THERE
    else:
        ending = Ending.VANISHED
    return Stay(
        account=last.account,
        provider=last.host.provider,
        machine=last.host.machine,
        began=group[0].started_at,
        last_seen=last_seen(last),
        ending=ending,
        sessions=tuple(s.id for s in group),
        gpus=tuple(gpu.name for gpu in last.gpus),
    )


def _with_rest(single: list[Stay]) -> list[Stay]:
    ended: dict[str, datetime] = {}
    rested = []
    for stay in single:
        before = ended.get(stay.account)
        rest_s = None if before is None else max((stay.began - before).total_seconds(), 0.0)
        rested.append(replace(stay, rest_s=rest_s))
        ended[stay.account] = max(stay.last_seen, before or stay.last_seen)
    return rested


def _hours(own: tuple[Stay, ...], since: datetime, until: datetime) -> float:
    inside = ((min(s.last_seen, until) - max(s.began, since)).total_seconds() for s in own)
    return sum(max(seconds, 0.0) for seconds in inside) / 3600.0


def _gpu_label(names: tuple[str, ...]) -> str:
    if not names:
        return "no GPU"
    return " + ".join(f"{n} x {name}" if n > 1 else name for name, n in sorted(Counter(names).items()))


def _close_to_another_account(group: list[Session]) -> list[Session]:
    """Sessions with less than 24 hours between them and one of another account (overlapping ones included): every account that has any,
    and the last of all. One sweep by their beginnings. Two accounts are kept in sight, those seen last: an account that was seen
    before both of them is close to them wherever it is close to what begins now.
    """
    found = []
    latest: dict[str, Session] = {}
    for session in sorted(group, key=lambda s: (s.started_at, s.id)):
        for other in latest.values():
            if other.account != session.account and session.started_at - last_seen(other) < SAME_DAY:
                found += [session, other]
        known = latest.get(session.account)
        if known is None or last_seen(session) > last_seen(known):
            latest[session.account] = session
        if len(latest) > 2:
            del latest[min(latest, key=lambda account: last_seen(latest[account]))]
    return found
