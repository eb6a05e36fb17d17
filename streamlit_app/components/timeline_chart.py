"""The timeline of sessions as an ECharts option: one line per place, a bar per session, coloured and labelled by GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpus import gpu_colour, gpu_name, place
from batonpass.streamlit_app.wording import duration, local

ROW_HEIGHT = 56
MOST_PLACES = 16
"""More lines than this are no picture any more; the table has them all."""


def timeline_option(
    sessions: Sequence[Session], ends: Mapping[str, datetime], zone: tzinfo, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Sessions from their start to `ends[id]`, in the reader's zone; `names` are the runs' names by id, plain text.

    One series per kind of GPU: a toggle in the legend, and a chart that stays light with hundreds of sessions.
    """
    places = shown_places(sessions)
    drawn = [s for s in sessions if place(s) in places]
    gpus = sorted({gpu_name(s) for s in drawn})
    edge = _right_edge(drawn, ends)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 40, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0, "type": "scroll", "data": gpus, "itemWidth": 14},
        "tooltip": {"trigger": "item", "confine": True, "formatter": "{a}<br/>{b}"},
        "xAxis": {
            "type": "time",
            "axisLabel": {"hideOverlap": True, "formatter": {"day": "{d} {MMM}", "month": "1 {MMM}"}},
        },
        "yAxis": {
            "type": "category",
            "data": places,
            "inverse": True,
            "axisTick": {"show": False},
            "axisLabel": {"width": 120, "overflow": "break", "interval": 0, "lineHeight": 14},
        },
        "dataZoom": [{"type": "inside", "xAxisIndex": [0], "filterMode": "none", "zoomOnMouseWheel": "ctrl"}],
        "series": [
            _bars(
                gpu,
                [_Bar(s, ends[s.id], near_edge=s.started_at > edge) for s in drawn if gpu_name(s) == gpu],
                zone,
                names or {},
            )
            for gpu in gpus
        ],
    }


def shown_places(sessions: Sequence[Session]) -> list[str]:
    """The places with the newest sessions, sorted by name."""
    newest = dict.fromkeys(place(s) for s in sorted(sessions, key=lambda s: s.started_at, reverse=True))
    return sorted(list(newest)[:MOST_PLACES])


def timeline_height(sessions: Sequence[Session]) -> int:
    """In pixels, so that every place has room."""
    return 90 + ROW_HEIGHT * max(1, len(shown_places(sessions)))


@dataclass(frozen=True, slots=True)
class _Bar:
    session: Session
    end: datetime
    near_edge: bool


def _bars(gpu: str, bars: Sequence[_Bar], zone: tzinfo, names: Mapping[str, str]) -> dict[str, Any]:
    """Thick lines from start to end, broken between two sessions. The card's name stands at the start where there is room."""
    data: list[dict[str, Any]] = []
    for bar in bars:
        s, end = bar.session, max(bar.end, bar.session.started_at)
        told = f"{local(s.started_at, zone)}, {duration((end - s.started_at).total_seconds())}"
        told += f", {names[s.run_id]}" if s.run_id in names else ""
        align = "right" if bar.near_edge else "left"
        label = {"show": True, "position": "top", "align": align, "formatter": gpu, "fontSize": 11}
        data += [
            {"value": [_wall(s.started_at, zone), place(s)], "name": told, "label": label},
            {"value": [_wall(end, zone), place(s)], "name": told},
            {"value": [_wall(end, zone), None]},
        ]
    return {
        "name": gpu,
        "type": "line",
        "data": data,
        "color": gpu_colour(gpu),
        "connectNulls": False,
        "lineStyle": {"width": 16, "cap": "butt"},
        "symbol": "rect",
        "symbolSize": [3, 16],
        "showSymbol": True,
        "showAllSymbol": True,
        "labelLayout": {"hideOverlap": True},
    }


def _right_edge(sessions: Sequence[Session], ends: Mapping[str, datetime]) -> datetime:
    """From here on a name that runs to the right would leave the chart."""
    first, last = min(s.started_at for s in sessions), max(ends[s.id] for s in sessions)
    return first + 0.85 * (last - first)


def _wall(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M:%S}"
