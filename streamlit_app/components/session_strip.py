"""The bar above the curves: which session, on which GPU, trained which part. Number and name stand in the bar; colour only helps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batonpass.streamlit_app.components.curves_look import Track
from batonpass.streamlit_app.components.gpus import gpu_colour, gpu_name

HEIGHT = 26
TOP = 40
WIDE = 0.12
"""Share of the bar from which the GPU's name fits beside the session's number; the rules and the table below have the rest."""
MOST = 120
"""Spans that are drawn one by one."""
NAMED = 0.04
"""Share of the width that a handover keeps from the next one to have its name at the rule."""


@dataclass(frozen=True, slots=True)
class Span:
    """One session's part that counts, as x values."""

    place: int
    low: float
    high: float
    last: int | None = None
    """The last one, where several neighbours are drawn as one."""

    def width(self, *, is_log: bool) -> float:
        """How much of the axis it takes, in the axis's own measure."""
        return math.log10(self.high / self.low) if is_log and self.low > 0 else self.high - self.low


def add_strip(
    option: dict[str, Any],
    spans: Sequence[Span],
    track: Track,
    to_axis: Callable[[float], float | str],
    *,
    is_log: bool = False,
) -> None:
    """Adds a grid with the bar to a chart of linked grids, and a thin rule with the GPU's name at each handover."""
    row = len(option["grid"])
    option["grid"].append({"left": 64, "right": 16, "top": TOP, "height": HEIGHT})
    option["xAxis"].append({**option["xAxis"][0], "gridIndex": row, "show": False, "axisPointer": {"show": False}})
    option["yAxis"].append({"type": "value", "gridIndex": row, "show": False, "min": 0, "max": 1})
    style = {"fontSize": 12, "fontWeight": "normal"}
    option["title"].append({"text": "sessions", "left": 0, "top": TOP + 5, "textStyle": style})
    spans = merge_narrow(spans)
    all_of_it = Span(0, min((s.low for s in spans), default=0.0), max((s.high for s in spans), default=0.0))
    share = {s.place: s.width(is_log=is_log) / (all_of_it.width(is_log=is_log) or 1.0) for s in spans}
    seen = set()
    for series in option["series"]:
        grid = series["xAxisIndex"]
        if series["lineStyle"]["opacity"] == 1.0 and grid not in seen:
            seen.add(grid)
            series["markLine"] = _rules(spans, share if grid == 0 else {}, track, to_axis)
    areas = [_area(s, _gpu(track, s.place), to_axis, wide=share[s.place] >= WIDE) for s in spans]
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
            "markArea": {
                "silent": True,
                "label": {"show": True, "position": "inside", "color": "#ffffff", "fontSize": 11, "fontWeight": 600},
                "itemStyle": {"opacity": 1, "borderColor": "#ffffff", "borderWidth": 1},
                "data": areas,
            },
        }
    )


def merge_narrow(spans: Sequence[Span]) -> list[Span]:
    """The spans; of very many, neighbours together, so that each can still be seen."""
    if len(spans) <= MOST:
        return list(spans)
    least = (spans[-1].high - spans[0].low) / MOST
    merged: list[Span] = []
    for span in spans:
        before = merged[-1] if merged else None
        if before is not None and before.high - before.low < least:
            merged[-1] = Span(before.place, before.low, max(before.high, span.high), span.place)
        else:
            merged.append(span)
    return merged


def _gpu(track: Track, place: int) -> str:
    session = track.sessions.get(track.curves.legs[place].session)
    return gpu_name(session) if session else "unknown"


def _area(span: Span, gpu: str, to_axis: Callable[[float], float | str], *, wide: bool) -> list[dict[str, Any]]:
    number = str(span.place + 1) if span.last is None else f"{span.place + 1:,} to {span.last + 1:,}"
    name = (number if span.last is not None else f"{number} · {gpu}") if wide else number if span.last is None else ""
    return [
        {"name": name, "xAxis": to_axis(span.low), "itemStyle": {"color": gpu_colour(gpu)}},
        {"xAxis": to_axis(span.high)},
    ]


def _rules(
    spans: Sequence[Span], share: Mapping[int, float], track: Track, to_axis: Callable[[float], float | str]
) -> dict[str, Any]:
    """`share`: how much of the axis each session takes; one that is not in it gets no name at its rule."""
    rules: list[dict[str, Any]] = []
    for span in spans[1:]:
        rules.append({"xAxis": to_axis(span.low), "name": _gpu(track, span.place)})
        if share.get(span.place, 0.0) < NAMED:
            rules[-1]["label"] = {"show": False}
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": bool(share), "formatter": "{b}", "position": "insideEndTop", "fontSize": 10},
        "lineStyle": {"type": "dotted", "width": 1, "opacity": 0.6, "color": "#8b9194"},
        "data": rules,
    }
