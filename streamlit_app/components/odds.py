"""Which GPU a machine came with, by place: counts of your own log, with n and an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.gpu.odds import Share, shares
from batonpass.core.model import Session
from batonpass.core.usage import stays
from batonpass.streamlit_app.components.gpus import gpu_name, place, provider_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.speed_chart import odds_option
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import Overview

_BY_PLAN, _BY_PROVIDER, _BY_ACCOUNT = "provider and plan", "provider", "account"


def show_odds(page: Page, sessions: Sequence[Session]) -> None:
    """Chart and table. Places stand in alphabetical order: this counts, it ranks nobody."""
    st.subheader("Which GPU came", anchor=False)
    by = st.segmented_control(
        "By", [_BY_PLAN, _BY_PROVIDER, _BY_ACCOUNT], default=_BY_PLAN, key="odds-by", required=True
    )
    found = shares(draws(page.overview, sessions, by or _BY_PLAN))
    rows = odds_rows(found)
    n = sum(many[0].n for many in found.values())
    option, height = odds_option(found)
    st.echarts_chart(option, height=height, alt=f"Share of each GPU among {n} machines, by {by}", key="odds")
    st.dataframe(rows, hide_index=True, alt=f"Which GPU came how often, by {by}")
    st.caption(
        "Your log, not a promise. One machine counts once, however many sessions ran on it. The interval (95 %, Wilson) is wide "
        "where n is small. What was asked for is not in the log: a GPU that you picked and one that you were dealt look the same."
    )


def draws(overview: Overview, sessions: Sequence[Session], by: str) -> list[tuple[str, str]]:
    """(place, GPU) of every machine received; plain text."""
    known = {s.id: s for s in sessions}
    last = [known[stay.sessions[-1]] for stay in stays(sessions, overview.read_at)]
    return [(_place(overview, s, by), gpu_name(s)) for s in last]


def odds_rows(found: Mapping[str, Sequence[Share]]) -> list[dict[str, str]]:
    """A row per place and GPU."""
    return [
        {
            "Where": where,
            "GPU": share.name,
            "Came": f"{share.times:,} of {share.n:,}",
            "Share": percent(share.value),
            "Could well be": f"{percent(share.low)} to {percent(share.high)}",
        }
        for where, many in found.items()
        for share in many
    ]


def _place(overview: Overview, session: Session, by: str) -> str:
    if by == _BY_ACCOUNT:
        return place(session)
    if by == _BY_PROVIDER:
        return provider_name(session)
    plan = plain(overview.account(session.account).account.plan, limit=30)
    return f"{provider_name(session)}, {plan or 'plan not noted'}"
