"""The timeline of sessions as an ECharts option: one line per place, a bar per session, coloured and labelled by GPU."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpus import gpu_colour, gpu_name, place

ROW_HEIGHT = 44


def timeline_option(sessions: Sequence[Session], ends: dict[str, datetime], zone: tzinfo) -> dict[str, Any]:
    """Sessions from their start to `ends[id]`. Times are drawn in the reader's zone."""
    places = sorted({place(s) for s in sessions})
    gpus = sorted({gpu_name(s) for s in sessions})
    return {
        "grid": {"left": 8, "right": 24, "top": 34, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0, "type": "scroll", "data": gpus, "itemWidth": 14},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {
            "type": "time",
            "axisLabel": {"hideOverlap": True, "formatter": {"day": "{d} {MMM}", "month": "1 {MMM}"}},
        },
        "yAxis": {"type": "category", "data": places, "inverse": True, "axisTick": {"show": False}},
        "series": [_bar(s, ends[s.id], zone) for s in sessions],
    }


def timeline_height(sessions: Sequence[Session]) -> int:
    """In pixels, so that every place has room."""
    return 90 + ROW_HEIGHT * max(1, len({place(s) for s in sessions}))


def _bar(session: Session, end: datetime, zone: tzinfo) -> dict[str, Any]:
    """A thick line from start to end. Sessions on equal cards share a name, so that the legend has one entry for them."""
    gpu = gpu_name(session)
    times = (session.started_at, max(end, session.started_at))
    return {
        "name": gpu,
        "type": "line",
        "data": [[_wall(moment, zone), place(session)] for moment in times],
        "color": gpu_colour(gpu),
        "lineStyle": {"width": 16, "cap": "butt"},
        "symbol": "rect",
        "symbolSize": [3, 16],
        "showSymbol": True,
    }


def _wall(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M:%S}"
