"""The stitched curves as an ECharts option: a grid per metric on one canvas, and the session strip on top. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import numpy as np

from batonpass.streamlit_app.components.charts import GAP, linked_grids
from batonpass.streamlit_app.components.curves_lines import parts_of
from batonpass.streamlit_app.components.curves_look import Look, Track, on_axis
from batonpass.streamlit_app.components.session_strip import HEIGHT, TOP, Span, add_strip
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.curves import Array, Axis, robust_range

_GRIDS = ((3, 210), (6, 160), (99, 120))
"""So many metrics at most -> the height of each grid in pixels."""
LEGEND = 30
_NAME = 6
_UNITS = {Axis.STEP: "step {value}", Axis.EPOCH: "epoch {value}", Axis.HOURS: "{value} h of training"}
_PRECISION = {Axis.STEP: 0, Axis.EPOCH: 3, Axis.HOURS: 3}


def curves_option(tracks: Sequence[Track], look: Look, zone: tzinfo) -> tuple[dict[str, Any], int]:
    """The option and its height in pixels. The first track is the run of the page; its sessions stand in the strip."""
    top = TOP + HEIGHT + 42 + (LEGEND if len(tracks) > 1 else 0)
    height = next(pixels for most, pixels in _GRIDS if len(look.metrics) <= most)
    names = [plain(metric, limit=60) for metric in look.metrics]
    option = linked_grids(names, height=height, x_type=_x_type(look), top=top, log=look.log)
    option.pop("dataZoom")  # it would show no more than what was sent; the brush asks for what lies between
    option |= {"dataset": [], "series": [], **_brush()}
    for row, metric in enumerate(look.metrics):
        for part in parts_of(tracks, metric, row, look, zone):
            at = {"xAxisIndex": row, "yAxisIndex": row}
            points = part.inline
            if points is None:
                points = {"datasetIndex": len(option["dataset"])}
                option["dataset"].append({"source": part.frame})
            option["series"].append({**part.series, **at, **points})
        _fix_y(option["yAxis"][row], tracks, metric, look)
    low, high = _x_range(tracks, look)
    _fix_x(option, low, high, look, zone)
    spans = _clipped(session_spans(tracks[0], look), low, high)
    add_strip(option, spans, tracks[0], lambda x: on_axis(x, look.axis, zone), is_log=look.has_log_x)
    if len(tracks) > 1:
        option["legend"] = {
            "data": [track.name for track in tracks],
            "type": "scroll",
            "left": 0,
            "right": 40,
            "top": TOP + HEIGHT + 8,
            "itemWidth": 34,
            "selectedMode": True,
        }
    return option, top + len(look.metrics) * (height + GAP) - 8 + _NAME


def session_spans(track: Track, look: Look) -> list[Span]:
    """The rows that count of each session, in the order of the trunk, over all chosen metrics. Over steps one span touches the next."""
    found: dict[int, tuple[float, float]] = {}
    for metric in look.metrics:
        if metric not in track.curves.series:
            continue
        live = track.live(metric)
        x = track.x(live, look)
        known = np.isfinite(x)
        session, x = live.session[known], x[known]
        starts = np.flatnonzero(np.r_[True, session[1:] != session[:-1]]) if len(x) else np.zeros(0, np.intp)
        lows, highs = (np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)) if len(x) else (x, x)
        for place, first, last in zip(session[starts].tolist(), lows.tolist(), highs.tolist(), strict=True):
            low, high = found.get(place, (np.inf, -np.inf))
            found[place] = (min(low, first), max(high, last))
    spans = [Span(place, low, high) for place, (low, high) in sorted(found.items())]
    if not spans or look.axis is Axis.CLOCK:
        return spans
    nexts = [*(s.low for s in spans[1:]), -np.inf]
    return [Span(s.place, s.low, max(s.high, after)) for s, after in zip(spans, nexts, strict=True)]


def _x_type(look: Look) -> str:
    return "time" if look.axis is Axis.CLOCK else "log" if look.has_log_x else "value"


def _brush() -> dict[str, Any]:
    """One button: drag over the curves, and they are drawn again from all rows between."""
    feature = {"brush": {"type": ["lineX"], "title": {"lineX": "Look closer: press, then drag over the curves"}}}
    return {
        "toolbox": {"right": 16, "top": 0, "itemSize": 19, "feature": feature},
        "brush": {"xAxisIndex": "all", "brushMode": "single", "throttleType": "debounce", "throttleDelay": 250},
    }


def _x_range(tracks: Sequence[Track], look: Look) -> tuple[float, float]:
    """The same range on every grid, so that the strip stands over the curves whatever each of them holds; (nan, nan) for no value."""
    values = [np.zeros(0)]
    for place, track in enumerate(tracks):
        for metric in look.metrics:
            found = track.curves.series.get(metric)
            if found is not None:
                values.append(track.x(track.live(metric), look))
                if look.ghosts and place == 0:
                    values.append(track.x(track.ghosts(metric), look))
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if len(every) else (np.nan, np.nan)
    if look.span is not None:
        low = low if look.low is None else look.low
        return low, high if look.high is None else look.high
    near_zero = look.axis is not Axis.CLOCK and not look.has_log_x and 0 < low < 0.05 * high
    return (0.0 if near_zero else low), high


def _fix_x(option: dict[str, Any], low: float, high: float, look: Look, zone: tzinfo) -> None:
    for axis in option["xAxis"]:
        if low < high and not (look.has_log_x and low <= 0):
            axis |= {"min": on_axis(low, look.axis, zone), "max": on_axis(high, look.axis, zone)}
            axis["axisLabel"] |= {"showMaxLabel": False, "showMinLabel": look.axis is not Axis.CLOCK}
        if look.axis in _UNITS:
            axis["axisPointer"] = {"label": {"formatter": _UNITS[look.axis], "precision": _PRECISION[look.axis]}}
    option["xAxis"][-1] |= {"name": look.axis.value, "nameLocation": "middle", "nameGap": 28}


def _fix_y(axis: dict[str, Any], tracks: Sequence[Track], metric: str, look: Look) -> None:
    """With outliers left out, the range of most of the values in view."""
    found = robust_limits(tracks, metric, look)
    if found is not None:
        axis |= {
            "min": found[0],
            "max": found[1],
            "axisLabel": {**axis["axisLabel"], "showMinLabel": False, "showMaxLabel": False},
        }


def robust_limits(tracks: Sequence[Track], metric: str, look: Look) -> tuple[float, float] | None:
    """The y range without outliers; None where it is not wanted or there is nothing to tell them by."""
    if not look.robust:
        return None
    low, high = robust_range(values_in_view(tracks, metric, look))
    if not low < high:
        return None
    margin = 0.0 if look.log else 0.08 * (high - low)
    limits = (low - margin, high + margin)
    return limits if np.isfinite(limits).all() and not (look.log and low <= 0) else None


def values_in_view(tracks: Sequence[Track], metric: str, look: Look) -> Array:
    """The values that count of one metric within the range, over all runs that are drawn."""
    low, high = look.span or (-np.inf, np.inf)
    found = [np.zeros(0)]
    for track in tracks:
        if metric in track.curves.series:
            live = track.live(metric)
            x = track.x(live, look)
            found.append(live.value[(x >= low) & (x <= high)])
    return np.concatenate(found)


def _clipped(spans: Sequence[Span], low: float, high: float) -> list[Span]:
    inside = (Span(s.place, max(s.low, low), min(s.high, high)) for s in spans)
    return [s for s in inside if s.low <= s.high]
