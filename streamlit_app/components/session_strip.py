"""The bar above the curves: which session, on which GPU, trained which part. Number and name stand in the bar; colour only helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpus import gpu_colour, gpu_name

HEIGHT = 26
TOP = 24
WIDE = 0.1
"""Share of the bar from which the GPU's name fits beside the session's number; the table below has the rest."""


@dataclass(frozen=True, slots=True)
class Span:
    """One session's part that counts, as x values."""

    place: int
    low: float
    high: float


def add_strip(
    option: dict[str, Any],
    spans: Sequence[Span],
    sessions: Sequence[Session | None],
    to_axis: Callable[[float], float | str],
) -> None:
    """Adds a grid with the bar to a chart of linked grids, and a thin rule at each handover to every line that counts.

    `sessions` by the number of their leg; None where its file could not be read.
    """
    row = len(option["grid"])
    option["grid"].append({"left": 64, "right": 16, "top": TOP, "height": HEIGHT})
    option["xAxis"].append({**option["xAxis"][0], "gridIndex": row, "show": False, "axisPointer": {"show": False}})
    option["yAxis"].append({"type": "value", "gridIndex": row, "show": False, "min": 0, "max": 1})
    option["dataZoom"][0]["xAxisIndex"] = list(range(row + 1))
    style = {"fontSize": 12, "fontWeight": "normal"}
    option["title"].append({"text": "sessions", "left": 0, "top": TOP + 5, "textStyle": style})
    for series in option["series"]:
        if series["lineStyle"]["opacity"] == 1.0:
            series["markLine"] = _rules([to_axis(s.low) for s in spans[1:]])
    whole = max((s.high for s in spans), default=0.0) - min((s.low for s in spans), default=0.0)
    areas = [_area(s, sessions[s.place], to_axis, wide=(s.high - s.low) >= WIDE * whole) for s in spans]
    option["series"].append(
        {
            "name": "sessions",
            "type": "line",
            "xAxisIndex": row,
            "yAxisIndex": row,
            "showSymbol": False,
            "lineStyle": {"opacity": 0},
            "tooltip": {"show": False},
            "data": [[to_axis(edge), None] for s in spans for edge in (s.low, s.high)],
            "markArea": {"silent": True, "data": areas},
        }
    )


def _area(
    span: Span, session: Session | None, to_axis: Callable[[float], float | str], *, wide: bool
) -> list[dict[str, Any]]:
    gpu = gpu_name(session) if session else "unknown"
    number = str(span.place + 1)
    label = {"show": True, "position": "inside", "color": "#ffffff", "fontSize": 11, "fontWeight": 600}
    style = {"color": gpu_colour(gpu), "opacity": 1, "borderColor": "#ffffff", "borderWidth": 1}
    name = f"{number} · {gpu}" if wide else number
    return [
        {"name": name, "xAxis": to_axis(span.low), "itemStyle": style, "label": label},
        {"xAxis": to_axis(span.high)},
    ]


def _rules(at: Sequence[float | str]) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"type": "dotted", "width": 1, "opacity": 0.6, "color": "#8b9194"},
        "data": [{"xAxis": x} for x in at],
    }
