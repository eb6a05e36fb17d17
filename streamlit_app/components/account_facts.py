"""Plan, price and units of an account, as the user types them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.model import Account
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.page import Page, say_not_kept
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.wording import number

_LARGE = 1e9


def edit_account(page: Page, account: Account) -> None:
    """What is known, and a form to change it in place; kept on the store."""
    st.subheader("What you pay", anchor=False)
    facts = [f"Plan: **{escaped(account.plan, limit=60)}**" if account.plan else "No plan noted"]
    if account.price is not None:
        facts.append(f"{number(account.price)} {escaped(account.currency, limit=8)} a month")
    st.markdown(" · ".join(facts))
    if is_read_only():
        return
    with st.expander("Change", icon=":material/edit:"), st.form(f"account-{account.label}", border=False):
        plan = st.text_input("Plan", value=account.plan, max_chars=80, placeholder="free, Pro, own computer")
        price = st.number_input(
            "Price per month, bought units included",
            min_value=0.0,
            max_value=_LARGE,
            value=_bounded(account.price),
            step=1.0,
        )
        currency = st.text_input("Currency", value=account.currency, max_chars=8)
        units = st.number_input(
            "Units left",
            min_value=0.0,
            max_value=_LARGE,
            value=_bounded(account.units),
            help="As the provider's page shows them now.",
        )
        if st.form_submit_button("Keep"):
            _write(page, account, plan or "", price, currency or "", units)


def _bounded(value: float | None) -> float | None:
    return min(max(value, 0.0), _LARGE) if value is not None and value == value else None  # noqa: PLR0124  # NaN is not itself


def _write(page: Page, account: Account, plan: str, price: float | None, currency: str, units: float | None) -> None:
    def change(old: Account) -> Account:
        seen_at = old.units_seen_at if units == old.units else page.now
        return replace(
            old,
            label=account.label,
            plan=plan.strip(),
            price=price,
            currency=currency.strip() or "USD",
            units=units,
            units_seen_at=seen_at if units is not None else None,
        )

    try:
        page.repository.edit_account(account.label, change)
    except BatonpassError as error:
        say_not_kept(error)
    else:
        st.rerun()
