"""Units: what is left as typed, what the log says was used since by a dated rate table, and the table, which the user can overwrite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.model import Account, UnitRate
from batonpass.core.unit_rates import (
    LARGEST_RATE,
    RATES_READ_ON,
    RATES_SOURCE,
    Rate,
    card,
    rate_table,
    units_left,
    units_used,
)
from batonpass.core.usage import Stay
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.page import Page, say_not_kept
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.wording import duration, local, number

WINDOWS = (("24 hours", 1), ("7 days", 7), ("30 days", 30))


def show_units(page: Page, account: Account, stays: Sequence[Stay]) -> None:
    """Only where units mean something: some were typed, a rate was, or the account has worked on Colab."""
    colab = account.provider == "colab" or any(s.provider == "colab" for s in stays)
    if not colab and account.units is None and not account.unit_rates:
        return
    st.subheader("Units", anchor=False)
    rates = rate_table(account, colab=colab)
    left = units_left(account, stays, rates, page.now)
    if account.units is None:
        st.caption("Type the units left under *Change* above, and what they are worth in hours stands here.")
    else:
        st.markdown(
            f"**{number(account.units)}** left when you looked ({local(account.units_seen_at, page.zone)}); by the table below "
            f"and your sessions since then, about **{number(round(left or 0.0, 1))}** now."
        )
    _used(page, stays, rates)
    with st.expander("Units per hour of each GPU", icon=":material/table_rows:"):
        _table(page, rates, left)
        _overwrite(page, account, rates, stays)


def _used(page: Page, stays: Sequence[Stay], rates: Sequence[Rate]) -> None:
    used = [(words, units_used(stays, rates, page.now - timedelta(days=days), page.now)) for words, days in WINDOWS]
    each = " · ".join(f"{words} {number(round(u.units, 1))} (n = {u.n})" for words, u in used)
    unknown = used[-1][1].unknown_hours
    more = f" {duration(unknown * 3600)} had no rate and are not in it." if unknown >= 0.1 else ""
    st.caption(f"If every hour cost units, the last {each}.{more} On a free plan none are taken.")


def _table(page: Page, rates: Sequence[Rate], left: float | None) -> None:
    rows = [
        {
            "GPU": plain(r.gpu, limit=40),
            "Units per hour": number(r.per_hour),
            "Read": f"by you, {local(r.seen_at, page.zone)}" if r.seen_at else RATES_READ_ON,
        }
        | (
            {"What is left would last": duration(left / r.per_hour * 3600) if r.per_hour else "unknown"}
            if left is not None
            else {}
        )
        for r in rates
    ]
    if rows:
        st.dataframe(rows, hide_index=True, alt="Units per hour of each GPU, and when that was read")
    st.caption(
        f"Figures of {RATES_READ_ON} are Colab's, from {RATES_SOURCE}. They move: the provider's own page counts, and what you type here goes before."
    )


def _overwrite(page: Page, account: Account, rates: Sequence[Rate], stays: Sequence[Stay]) -> None:
    gpus = sorted({r.gpu for r in rates} | {card(name) for s in stays for name in s.gpus})
    if not gpus or is_read_only():
        return
    with st.form(f"rates-{account.label}", clear_on_submit=True, border=False):
        gpu = st.selectbox("GPU", gpus, format_func=lambda name: plain(name, limit=40))
        per_hour = st.number_input(
            "Units per hour, as the provider shows it now", min_value=0.0, max_value=LARGEST_RATE, value=None, step=0.01
        )
        with st.container(horizontal=True):
            keep = st.form_submit_button("Keep this rate")
            forget = bool(account.unit_rates) and st.form_submit_button("Take my rate away", type="tertiary")
    if gpu is None:
        return
    if keep and per_hour is None:
        st.info("Type the units per hour first.")
    elif keep or forget:
        _write(page, account, gpu, per_hour if keep else None)


def _write(page: Page, account: Account, gpu: str, per_hour: float | None) -> None:
    def change(old: Account) -> Account:
        others = tuple(rate for rate in old.unit_rates if rate.gpu != gpu)
        own = (UnitRate(gpu, per_hour, page.now),) if per_hour is not None else ()
        return replace(old, label=account.label, unit_rates=(*others, *own))

    try:
        page.repository.edit_account(account.label, change)
    except BatonpassError as error:
        say_not_kept(error)
    else:
        st.rerun()
