"""What an account has given in numbers: hours in three windows, of them useful ones, machines at once, GPUs received, price per useful hour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.model import Account, Session
from batonpass.core.usage import AccountUse, Stay, at_once
from batonpass.core.useful import useful_hours
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.estimates.groups import gpu_label, provider_label
from batonpass.streamlit_app.wording import count, duration, local, number, plural

MONTH = timedelta(days=30)
ENOUGH_HOURS = 1.0
"""With less useful time a price per hour is a joke."""
USEFUL = "Time inside the loop that a checkpoint on the store holds, proven or handed over. Waiting, downloading and work after the last checkpoint are not in it."


def show_numbers(page: Page, use: AccountUse, sessions: Sequence[Session], shares: dict[str, float]) -> None:
    """Machine hours by window, and how many machines were held at once."""
    windows = (
        ("Last 24 hours", 1, use.hours_24h),
        ("Last 7 days", 7, use.hours_7d),
        ("Last 30 days", 30, use.hours_30d),
    )
    held = at_once(use.stays)
    with st.grid(5, min_column_width=140):
        for words, _, hours in windows:
            st.metric(words, _hours(hours), help="Machine hours: two machines at once count twice.")
        st.metric("Open now", count(held.now), help="Machines of this account that beat not long ago.")
        st.metric(
            "Most at once",
            count(held.most),
            help=f"Last so {local(held.most_at, page.zone)}." if held.most_at else None,
        )
    rows = [_window(page, words, days, hours, use.stays, sessions, shares) for words, days, hours in windows]
    st.dataframe(rows, hide_index=True, alt="Machine hours, useful hours, stays and sessions in three windows")
    st.caption(f"Useful: {USEFUL[0].lower()}{USEFUL[1:]}")


def show_gpus(use: AccountUse) -> None:
    """Which GPUs the stays got, with n."""
    st.subheader("GPUs received", anchor=False)
    got = Counter(gpu_label(s) for s in use.stays)
    rows = [
        {"GPU": plain(name, limit=40), "Got it": f"{n} of {got.total()}", "Share": n / got.total()}
        for name, n in got.most_common(30)
    ]
    st.dataframe(
        rows,
        hide_index=True,
        alt=f"GPUs of {plural(got.total(), 'stay')}",
        column_config={
            "Share": st.column_config.ProgressColumn("Share", min_value=0.0, max_value=1.0, format="percent")
        },
    )
    where = ", ".join(sorted({escaped(provider_label(s), limit=40) for s in use.stays}))
    st.caption(f"Seen on: {where}. n = {plural(got.total(), 'stay')}; few say little about the next one.")


def show_price(page: Page, account: Account, sessions: Sequence[Session], shares: dict[str, float]) -> None:
    """What an hour that was trained and saved has cost; the same plan can serve one account well and another badly."""
    price = account.price
    if price is None or not math.isfinite(price) or price < 0:
        st.caption("With a price per month, what a useful hour has cost stands here.")
        return
    month = [s for s in sessions if s.heartbeat_at > page.now - MONTH]
    hours = useful_hours(month, shares, page.now - MONTH, page.now)
    n = plural(len(month), "session")
    if hours < ENOUGH_HOURS:
        st.caption(
            f"{duration(hours * 3600)} were trained and saved in the last 30 days (n = {n}): too little for a price per hour."
        )
        return
    currency = escaped(account.currency, limit=8)
    st.metric("Price per useful hour", f"{_money(price / hours)} {currency}", help=USEFUL)
    began = min(s.started_at for s in sessions)
    young = (
        f" Your log began {local(began, page.zone)}, so the month is not whole yet." if began > page.now - MONTH else ""
    )
    st.caption(
        f"{number(price)} {currency} a month over {_hours(hours)} trained and saved in the last 30 days, n = {n}.{young}"
    )


def _window(  # one row of one table, made of what is already at hand
    page: Page,
    words: str,
    days: int,
    hours: float,
    stays: Sequence[Stay],
    sessions: Sequence[Session],
    shares: dict[str, float],
) -> dict[str, str]:
    since = page.now - timedelta(days=days)
    useful = useful_hours(sessions, shares, since, page.now)
    return {
        "": words,
        "Machine hours": _hours(hours),
        "Useful": f"{_hours(useful)} ({percent(min(useful / hours, 1))})" if hours > 0 else _hours(0),
        "Stays": count(sum(s.last_seen > since for s in stays)),
        "Sessions": count(sum(s.heartbeat_at > since for s in sessions)),
    }


def _hours(hours: float) -> str:
    """As limits and quotas are told: in hours, also beyond a day."""
    return duration(hours * 3600) if hours < 24 else f"{hours:,.0f} h" if hours < 1e6 else "unknown"


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if 0.1 <= amount < 1e9 or amount == 0 else number(float(f"{amount:.2g}"))
