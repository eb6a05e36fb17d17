"""What kind of trouble an error of a store is, and what a lane of the service does about each kind: a table and two pure decisions.

The kinds are those of Google's "Resolve errors" page, which fit any store. Within one call `sync.stores.retry` tries again by itself;
this is about what happens after it has given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from batonpass.core.errors import (
    BatonpassError,
    ConflictError,
    NotFoundError,
    NotOurFolderError,
    SignInError,
    StoreError,
    StoreFullError,
    StoreThrottledError,
    StoreUnreachableError,
)

DAY_CAP_AFTER_S = 15 * 60.0
"""Refused as "too fast" for so long, while small calls get through: that is no rate limit. Google words the daily cap of 750 GB alike."""


class Kind(StrEnum):
    """What is wrong, in words that a person sees."""

    LATER = "no answer"
    THROTTLED = "asked to go slower"
    DAY_CAP = "daily upload limit"
    FULL = "no room"
    NEEDS_LOGIN = "needs sign-in"
    REFUSED = "not allowed"
    MISSING = "something is gone"
    CONFLICT = "changed meanwhile"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a lane does after a failure. Waits in seconds: doubling from `first_s` up to `longest_s`, never less than the store asked for."""

    first_s: float
    longest_s: float
    needs_person: bool = False
    """Waiting alone does not help: whoever waits for this lane is told at once."""
    keeps_half_sent: bool = False
    """What is half sent is continued although a newer checkpoint waits."""


POLICIES: dict[Kind, Policy] = {
    Kind.LATER: Policy(5.0, 60.0, keeps_half_sent=True),
    Kind.THROTTLED: Policy(30.0, 600.0, keeps_half_sent=True),
    Kind.DAY_CAP: Policy(3600.0, 3600.0, needs_person=True),
    Kind.FULL: Policy(600.0, 600.0, needs_person=True),
    Kind.NEEDS_LOGIN: Policy(60.0, 60.0, needs_person=True, keeps_half_sent=True),
    Kind.REFUSED: Policy(60.0, 600.0, needs_person=True),
    Kind.MISSING: Policy(30.0, 600.0),
    Kind.CONFLICT: Policy(1.0, 60.0),
    Kind.FAILED: Policy(10.0, 600.0),
}
"""A full store is probed every ten minutes, the daily cap every hour: each probe is one small request."""

_KINDS: tuple[tuple[type[BatonpassError], Kind], ...] = (
    (StoreThrottledError, Kind.THROTTLED),
    (StoreUnreachableError, Kind.LATER),
    (StoreFullError, Kind.FULL),
    (SignInError, Kind.NEEDS_LOGIN),
    (NotOurFolderError, Kind.REFUSED),
    (NotFoundError, Kind.MISSING),
    (ConflictError, Kind.CONFLICT),
    (StoreError, Kind.REFUSED),
)


def kind_of(error: BaseException, *, throttled_for_s: float = 0.0, small_calls_work: bool = False) -> Kind:
    """The kind of an error. `throttled_for_s`: seconds for which large uploads have been refused as too fast without a break;
    `small_calls_work`: the heartbeat got through meanwhile.

    >>> kind_of(StoreFullError("no room"))
    <Kind.FULL: 'no room'>
    >>> kind_of(StoreThrottledError("slower"), throttled_for_s=1000.0, small_calls_work=True)
    <Kind.DAY_CAP: 'daily upload limit'>
    """
    kind = next((kind for family, kind in _KINDS if isinstance(error, family)), Kind.FAILED)
    if kind is Kind.THROTTLED and small_calls_work and throttled_for_s > DAY_CAP_AFTER_S:
        return Kind.DAY_CAP
    return kind


def wait_s(kind: Kind, failures: int, *, retry_after_s: float | None = None, at_most_s: float = float("inf")) -> float:
    """Seconds until a lane tries again after failure number `failures` (from 1). `at_most_s` bounds it, also where the store asked for
    more: a heartbeat that is silent for longer than a lease costs a healthy session its run, and is one small call.

    >>> wait_s(Kind.LATER, 1), wait_s(Kind.LATER, 9), wait_s(Kind.THROTTLED, 1, retry_after_s=90.0)
    (5.0, 60.0, 90.0)
    >>> wait_s(Kind.THROTTLED, 1, retry_after_s=900.0, at_most_s=60.0)
    60.0
    """
    policy = POLICIES[kind]
    growing = min(policy.longest_s, policy.first_s * 2.0 ** min(failures - 1, 30))
    return min(max(growing, retry_after_s or 0.0), at_most_s)
