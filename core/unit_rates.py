"""What an hour of a GPU takes off an account's units: the figures that were read, dated, and the user's own in their place. Nothing here
knows what a provider charges today.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batonpass.core.gpu.catalogue import match_gpu
from batonpass.core.model import Account
from batonpass.core.usage import Stay

RATES_READ_ON = "10 March 2026"
RATES_SOURCE = "Chris McCormick's notes on Colab's GPUs"
COLAB_UNITS_PER_HOUR: Mapping[str, float] = {
    "T4": 1.19,
    "L4": 1.71,
    "A100 40GB": 5.40,
    "A100 80GB": 7.52,
    "RTX PRO 6000 Blackwell Server": 8.71,
}
"""Read on that day in that post; they move, and by region too."""
LARGEST_RATE = 1e6


@dataclass(frozen=True, slots=True)
class Rate:
    """Units per hour of one GPU. `seen_at` None: it comes with Batonpass, read on `RATES_READ_ON`."""

    gpu: str
    per_hour: float
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnitsUsed:
    """An estimate: hours times rate. `hours` had a rate; `unknown_hours` had none and are left out of `units`; `n` stays in all."""

    units: float
    hours: float
    unknown_hours: float
    n: int


def card(driver_name: str) -> str:
    """The catalogue's name of a GPU, or the driver's own. Untrusted text."""
    entry = match_gpu(driver_name)
    return entry.name if entry is not None else driver_name


def rate_table(account: Account, *, colab: bool) -> tuple[Rate, ...]:
    """The rates that hold for an account, by the GPU's name: its own, and Colab's where it works there."""
    known = {gpu: Rate(gpu, per_hour) for gpu, per_hour in COLAB_UNITS_PER_HOUR.items()} if colab else {}
    own = {
        rate.gpu: Rate(rate.gpu, rate.per_hour, rate.seen_at)
        for rate in account.unit_rates
        if 0 <= rate.per_hour <= LARGEST_RATE
    }
    return tuple(sorted((known | own).values(), key=lambda rate: rate.gpu))


def units_used(stays: Iterable[Stay], rates: Sequence[Rate], since: datetime, until: datetime) -> UnitsUsed:
    """What the stays took between two moments. A rate that comes with Batonpass is Colab's, and counts there only; two GPUs take twice."""
    by_gpu = {rate.gpu: rate for rate in rates}
    units = hours = unknown = 0.0
    n = 0
    for stay in stays:
        inside = (min(stay.last_seen, until) - max(stay.began, since)).total_seconds() / 3600.0
        if inside <= 0:
            continue
        n += 1
        found = [by_gpu.get(card(name)) for name in stay.gpus]
        fits = [r for r in found if r is not None and (r.seen_at is not None or stay.provider == "colab")]
        if found and len(fits) == len(found):
            units, hours = units + inside * sum(rate.per_hour for rate in fits), hours + inside
        else:
            unknown += inside
    return UnitsUsed(units, hours, unknown, n)


def units_left(account: Account, stays: Iterable[Stay], rates: Sequence[Rate], now: datetime) -> float | None:
    """The units that were typed, less what was used since by estimate; never below 0. None where none were typed."""
    if account.units is None or not math.isfinite(account.units):
        return None
    since = account.units_seen_at or now
    return max(account.units - units_used(stays, rates, since, now).units, 0.0)
