"""Measured steps per second by GPU, compared only inside one run: two runs are two different works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.gpu.speed import Speed, ratio, session_speed, speeds
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.speed_chart import speed_option
from batonpass.streamlit_app.components.speed_units import CardRate, card_rates, units_columns
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import duration, number, plural


def run_speeds(run: RunStory) -> tuple[Speed, ...]:
    """Every card that this run was measured on, slowest median first."""
    return speeds((gpu_name(s.session), session_speed(s.session)) for s in run.files.sessions)


def show_speeds(page: Page, run: RunStory, found: Sequence[Speed]) -> None:
    """Chart and table of one run."""
    if not found:
        st.caption("Nothing measured in this run yet: a session has to train for some steps.")
        return
    option, height = speed_option(found)
    said = ", ".join(f"{s.gpu} {number(s.median)} steps/s (n {s.n})" for s in found)
    st.echarts_chart(
        option, height=height, alt=f"Steps per second of {plain(run.name, limit=60)}: {said}", key="speeds"
    )
    rates = card_rates((s.session for s in run.files.sessions), (a.account for a in page.overview.accounts), page.zone)
    st.dataframe(speed_rows(found, rates), hide_index=True, alt=f"Measured speed by GPU: {said}")
    n = sum(s.n for s in found)
    st.caption(
        f"{plural(n, 'session')} measured; steps over the time inside the loop. The ratio is of medians against the slowest card, its "
        "range between the most different sessions. Settings that you changed between sessions are in these figures too."
    )
    if rates:
        st.caption(
            "Units: what that many steps would take off an account at the median speed, by the dated rates of the Accounts page, where you can "
            "put your own in their place. On a free plan none are taken."
        )


def speed_rows(found: Sequence[Speed], rates: Mapping[str, tuple[CardRate, ...]] | None = None) -> list[dict[str, str]]:
    """A row per card. With one session there is no spread to give. Units have columns once a rate of any of the cards is known."""
    shown = rates or {}
    return [
        {
            "GPU": s.gpu,
            "n": f"{s.n:,}",
            "Steps/s, median": f"{s.median:.3g}",
            "Lowest to highest": f"{s.values[0]:.3g} to {s.values[-1]:.3g}" if s.n > 1 else "one session",
            "1,000 steps take": duration(1000 / s.median) if s.median < 1000 else "under 1 s",
            "Against the slowest": ratio_words(s, found[0]) if s is not found[0] else "",
        }
        | (units_columns(s, shown.get(s.gpu, ())) if shown else {})
        for s in found
    ]


def ratio_words(fast: Speed, slow: Speed) -> str:
    """As "2.10 x (1.90 to 2.40)"; without a range where each card has one session.

    >>> ratio_words(Speed("L4", (3.0,)), Speed("T4", (1.5,)))
    '2.00 x'
    """
    r = ratio(fast, slow)
    spread = f" ({r.low:.2f} to {r.high:.2f})" if fast.n > 1 or slow.n > 1 else ""
    return f"{r.value:.2f} x{spread}"
