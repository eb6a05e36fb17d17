"""How long machines stayed: a survival curve from five stays on, the plain list below that, and the rest before each stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from batonpass.core.usage import AccountUse, Ending, Stay
from batonpass.streamlit_app.components.gpus import NO_GPU, short_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.estimates.survival import ENOUGH_STAYS, Array, Survival, survival
from batonpass.streamlit_app.wording import duration, local, plural


def show_lengths(page: Page, use: AccountUse) -> None:
    """The curve needs five stays of which one vanished; the list is always there."""
    st.subheader("How long machines stayed", anchor=False)
    curve = survival(use.stays) if len(use.stays) >= ENOUGH_STAYS else None
    if curve is not None:
        st.echarts_chart(_survival_option(curve), height=220, alt=_survival_words(curve), key="survival")
        st.caption(
            f"n = {curve.n} stays, {curve.vanished} of them vanished by themselves; those you ended count as at least that long. "
            f"Shaded: where the true share lies four times out of five. Your log, not a promise."
        )
    rests = [s for s in use.stays if s.rest_s is not None]
    if len(rests) >= ENOUGH_STAYS - 1:
        st.echarts_chart(
            _rest_option(rests),
            height=220,
            alt=f"Rest before a stay against its length, {plural(len(rests), 'stay')}",
            key="rest",
        )
    _list(page, use.stays)


def _survival_option(curve: Survival) -> dict[str, Any]:
    def line(name: str, heights: Array, **more: Any) -> dict[str, Any]:
        points = [[round(x, 3), round(p, 3)] for x, p in zip(curve.hours.tolist(), heights.tolist(), strict=True)]
        return {"name": name, "type": "line", "step": "end", "showSymbol": False, "data": points} | more

    unseen = {"lineStyle": {"opacity": 0}, "stack": "band", "tooltip": {"show": False}, "silent": True}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 34, "bottom": 28, "containLabel": True},
        "title": {"left": 0, "text": "share of machines still there", "textStyle": {"fontSize": 13, "fontWeight": 600}},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {"type": "value", "name": "hours", "nameLocation": "middle", "nameGap": 24, "min": 0},
        "yAxis": {"type": "value", "min": 0, "max": 1},
        "series": [
            line("from", curve.low, **unseen),
            line("to", curve.high - curve.low, **unseen, areaStyle={"opacity": 0.18, "color": "#3f7fc4"}),
            line("still there", curve.share, lineStyle={"width": 2}, itemStyle={"color": "#3f7fc4"}),
        ],
    }


def _survival_words(curve: Survival) -> str:
    middle = curve.median_hours
    half = (
        f"half were gone after {duration(middle * 3600)}"
        if middle is not None
        else "more than half stayed to the end of the log"
    )
    return f"Share of machines still there by hours, n = {curve.n}; {half}"


def _rest_option(rests: Sequence[Stay]) -> dict[str, Any]:
    groups = {
        "vanished": [s for s in rests if not s.censored],
        "ended by you or still there": [s for s in rests if s.censored],
    }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 56, "bottom": 28, "containLabel": True},
        "title": {
            "left": 0,
            "text": "hours of the stay, by the rest before it",
            "textStyle": {"fontSize": 13, "fontWeight": 600},
        },
        "legend": {"top": 22, "left": 0, "type": "scroll"},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {"type": "value", "name": "hours of rest before", "nameLocation": "middle", "nameGap": 24, "min": 0},
        "yAxis": {"type": "value", "name": "", "min": 0},
        "series": [
            {
                "name": name,
                "type": "scatter",
                "symbol": symbol,
                "symbolSize": 11,
                "data": [[round((s.rest_s or 0) / 3600, 2), round(s.length_s / 3600, 2)] for s in group],
            }
            for (name, group), symbol in zip(groups.items(), ("circle", "diamond"), strict=True)
            if group
        ],
    }


def _list(page: Page, stays: Sequence[Stay]) -> None:
    rows = [
        {
            "Began": local(s.began, page.zone),
            "Stayed": ("at least " if s.ending is not Ending.VANISHED else "") + duration(s.length_s),
            "Rest before": duration(s.rest_s) if s.rest_s is not None else "first",
            "GPU": ", ".join(short_name(g) for g in s.gpus) or NO_GPU,
            "How it ended": s.ending.value,
        }
        for s in reversed(stays[-100:])
    ]
    st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'stay')}, newest first")
