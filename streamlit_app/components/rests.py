"""The rest before a stay against its length: where a cool-down would show, if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.usage import Stay
from batonpass.streamlit_app.estimates.rest import ENOUGH_PAIRS, rest_link, rested
from batonpass.streamlit_app.wording import duration, plural

FEWEST = 3
DRAWN = 500


def show_rests(stays: Sequence[Stay]) -> None:
    """A point per stay, and one plain sentence on what the points show; the numbers stand in the list of stays."""
    st.subheader("Rest before a stay, and its length", anchor=False)
    pairs = [s for s in stays if s.rest_s is not None][-DRAWN:]
    if len(pairs) < FEWEST:
        st.caption(f"Drawn from {FEWEST + 1} stays on; {len(stays)} so far.")
        return
    told = f"{plural(len(pairs), 'stay')} with a rest before; the list of stays holds the numbers"
    st.echarts_chart(_option(pairs), height=240, alt=f"Rest before a stay against its length, {told}", key="rest")
    st.caption(_sentence(stays))


def _sentence(stays: Sequence[Stay]) -> str:
    """What the points show, and on how many stays that rests. No cause is named."""
    n = len(rested(stays))
    link = rest_link(stays)
    if link is None:
        return (
            f"n = {n} stays vanished by themselves after a rest; nothing is said below {ENOUGH_PAIRS}."
            if n < ENOUGH_PAIRS
            else f"n = {n}, all after like rests or of like length: they do not tell."
        )
    figures = f"rank correlation {link.rho:+.2f}, n = {link.n} that vanished by themselves"
    if not link.shows_something:
        return f"No clear link between rest and length in your log ({figures}; chance alone often gives as much)."
    way = "longer" if link.rho > 0 else "shorter"
    return (
        f"In your log, longer rests went with {way} stays ({figures}; chance alone gives as much in {_percent(link.chance)} of orders). "
        "That does not say why, nor that it will be so again."
    )


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else percent(share)


def _option(pairs: Sequence[Stay]) -> dict[str, Any]:
    groups = {
        "vanished": [s for s in pairs if not s.censored],
        "at least so long: ended by you, or still there": [s for s in pairs if s.censored],
    }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 56, "bottom": 28, "containLabel": True},
        "title": {"left": 0, "text": "hours of the stay", "textStyle": {"fontSize": 13, "fontWeight": 600}},
        "legend": {"top": 22, "left": 0, "type": "scroll", "itemWidth": 12, "itemHeight": 10},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {"type": "value", "name": "hours of rest before", "nameLocation": "middle", "nameGap": 24, "min": 0},
        "yAxis": {"type": "value", "min": 0},
        "series": [
            {
                "name": name,
                "type": "scatter",
                "symbol": symbol,
                "symbolSize": 11,
                "itemStyle": {"color": colour},
                "data": [_point(s) for s in group],
            }
            for (name, group), symbol, colour in zip(
                groups.items(), ("circle", "triangle"), ("#3f7fc4", "#c77d26"), strict=True
            )
            if group
        ],
    }


def _point(stay: Stay) -> dict[str, Any]:
    rest_s = stay.rest_s or 0.0
    name = f"{duration(stay.length_s)} after {duration(rest_s)} of rest"
    return {"name": name, "value": [round(rest_s / 3600, 2), round(stay.length_s / 3600, 2)]}
