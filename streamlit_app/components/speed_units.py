"""What a thousand steps of one run cost in units on each card: its measured speed, and the dated rates of the accounts it ran at. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo

from batonpass.core.gpu.speed import Speed
from batonpass.core.model import Account, Session
from batonpass.core.unit_rates import RATES_READ_ON, Rate, card, rate_table
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.wording import local, number

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CardRate:
    """Units per hour of all GPUs of a session, and when that was read, in words."""

    per_hour: float
    read: str


def card_rates(
    sessions: Iterable[Session], accounts: Iterable[Account], zone: tzinfo
) -> dict[str, tuple[CardRate, ...]]:
    """Card, as pages name it -> the rates that its sessions fall under, each once, lowest first; no entry where none is known.

    A rate that comes with Batonpass is Colab's, and holds there only; one that the user typed holds at its account. Two GPUs take twice.
    """
    known = {account.label: account for account in accounts}
    found: dict[str, set[CardRate]] = {}
    kinds = {(s.account, s.host.provider, gpu_name(s), tuple(gpu.name for gpu in s.gpus)) for s in sessions if s.gpus}
    for label, provider, name, gpus in kinds:
        table = {r.gpu: r for r in rate_table(known.get(label, Account(label)), colab=provider == "colab")}
        rates = [table.get(card(gpu)) for gpu in gpus]
        whole = [r for r in rates if r is not None]
        if len(whole) == len(gpus):
            found.setdefault(name, set()).add(CardRate(sum(r.per_hour for r in whole), _read(whole, zone)))
    return {name: tuple(sorted(rates, key=lambda r: (r.per_hour, r.read))) for name, rates in found.items()}


def units_columns(speed: Speed, rates: tuple[CardRate, ...]) -> dict[str, str]:
    """Two cells of a card's row: a range where its accounts have several rates."""
    if not rates:
        return {"Units per 1,000 steps": UNKNOWN, "Rate read": ""}
    costs = [number(float(f"{rate.per_hour * 1000 / speed.median / 3600:.3g}")) for rate in (rates[0], rates[-1])]
    return {
        "Units per 1,000 steps": costs[0] if costs[0] == costs[1] else f"{costs[0]} to {costs[1]}",
        "Rate read": "; ".join(dict.fromkeys(rate.read for rate in rates)),
    }


def _read(rates: Iterable[Rate], zone: tzinfo) -> str:
    return ", ".join(dict.fromkeys(f"by you, {local(r.seen_at, zone)}" if r.seen_at else RATES_READ_ON for r in rates))
