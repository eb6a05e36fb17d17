"""The stitched curves as an ECharts option: a grid per metric on one canvas, ghosts of steps run again, and the session strip on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from batonpass.core.lineage import Role
from batonpass.core.metrics.stitch import Series
from batonpass.core.model import Session
from batonpass.streamlit_app.components.charts import GAP, linked_grids
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.session_strip import HEIGHT, TOP, Span, add_strip
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.curves import Axis, Line, RunCurves, draw

GRID = 210
_PALETTE = ("#23938f", "#c77d26", "#8464bd", "#3f7fc4", "#c24d78", "#5d8f3a")


@dataclass(frozen=True, slots=True)
class Look:
    """What the reader has chosen."""

    metrics: tuple[str, ...]
    axis: Axis = Axis.STEP
    weight: float = 0.0
    log: bool = False
    ghosts: bool = True


def curves_option(
    curves: RunCurves, sessions: Sequence[Session], look: Look, zone: tzinfo
) -> tuple[dict[str, Any], int]:
    """The option and its height in pixels."""
    known = {s.id: s for s in sessions}
    top = TOP + HEIGHT + 42
    option = linked_grids(
        [plain(m, limit=60) for m in look.metrics], height=GRID, x_type=_axis_type(look.axis), top=top, log=look.log
    )
    sources: list[pd.DataFrame] = []
    series: list[dict[str, Any]] = []
    for row, metric in enumerate(look.metrics):
        found = curves.series[metric]
        colour = _PALETTE[row % len(_PALETTE)]
        for part in _lines(curves, found, known, look, colour):
            sources.append(_frame(part.pop("line"), look.axis, part["name"], zone))
            series.append({**part, "xAxisIndex": row, "yAxisIndex": row, "datasetIndex": len(sources) - 1})
    option["dataset"] = [{"source": s} for s in sources]
    option["series"] = series
    _fix_range(option, curves, look, zone)
    who = [known.get(leg.session) for leg in curves.legs]
    add_strip(option, _spans(curves, look), who, lambda x: _x(x, look.axis, zone))
    return option, top + len(look.metrics) * (GRID + GAP) - 8


def _lines(
    curves: RunCurves, found: Series, known: dict[str, Session], look: Look, colour: str
) -> list[dict[str, Any]]:
    """Ghosts first, so that they lie below; then the raw line as a shadow of the smooth one; then the line that counts."""
    parts = []
    name = plain(found.name, limit=60)
    if look.ghosts:
        ghosts = found.ghosts
        for place in np.unique(ghosts.session):
            mine = ghosts.select(ghosts.session == place)
            leg = curves.legs[int(place)]
            what = "branch" if leg.role is Role.BRANCH else "run again later"
            line = draw(mine, curves.x(mine, look.axis), weight=look.weight)
            label = f"{name} · {what} · {_who(known, leg.session, int(place))}"
            parts.append(_style(label, line, colour, width=1.6, opacity=0.6, dash="dashed"))
    live = found.live
    x = curves.x(live, look.axis)
    if look.weight > 0:
        parts.append(_style(f"{name}, not smoothed", draw(live, x), colour, width=1.0, opacity=0.25))
    parts.append(_style(name, draw(live, x, weight=look.weight), colour, width=1.8, opacity=1.0))
    return parts


def _style(label: str, line: Line, colour: str, *, width: float, opacity: float, dash: str = "solid") -> dict[str, Any]:
    return {
        "name": label,
        "type": "line",
        "line": line,
        "color": colour,
        "showSymbol": False,
        "connectNulls": False,
        "lineStyle": {"width": width, "opacity": opacity, "type": dash},
        "emphasis": {"disabled": True},
        "encode": {"x": 0, "y": 1},
    }


def _who(known: dict[str, Session], session_id: str, place: int) -> str:
    session = known.get(session_id)
    return f"session {place + 1}, {gpu_name(session)}" if session else f"session {place + 1}"


def _axis_type(axis: Axis) -> str:
    return "time" if axis is Axis.CLOCK else "value"


def _frame(line: Line, axis: Axis, label: str, zone: tzinfo) -> pd.DataFrame:
    x: Any = line.x
    if axis is Axis.CLOCK:
        x = pd.to_datetime(line.x, unit="s", utc=True, errors="coerce").tz_convert(str(zone)).tz_localize(None)
    return pd.DataFrame({axis.value: x, label: line.y})


def _fix_range(option: dict[str, Any], curves: RunCurves, look: Look, zone: tzinfo) -> None:
    """The same x range on every grid, so that the strip stands over the curves whatever each of them holds."""
    every = [curves.series[m] if look.ghosts else curves.series[m].live for m in look.metrics]
    values = np.concatenate([curves.x(series, look.axis) for series in every])
    values = values[np.isfinite(values)]
    if len(values) and values.min() < values.max():
        low, high = float(values.min()), float(values.max())
        low = 0.0 if look.axis is not Axis.CLOCK and 0 < low < 0.05 * high else low
        for axis in option["xAxis"]:
            axis |= {"min": _x(low, look.axis, zone), "max": _x(high, look.axis, zone)}
            axis["axisLabel"] |= {"showMaxLabel": False, "showMinLabel": look.axis is not Axis.CLOCK}


def _spans(curves: RunCurves, look: Look) -> list[Span]:
    """The rows that count of each session, in the order of the trunk, over all chosen metrics. Over steps one span touches the next."""
    found: dict[int, tuple[float, float]] = {}
    for metric in look.metrics:
        live = curves.series[metric].live
        x = curves.x(live, look.axis)
        for place in np.unique(live.session):
            mine = x[live.session == place]
            low, high = found.get(int(place), (np.inf, -np.inf))
            found[int(place)] = (min(low, float(mine.min())), max(high, float(mine.max())))
    spans = [Span(place, low, high) for place, (low, high) in sorted(found.items()) if np.isfinite((low, high)).all()]
    if look.axis is Axis.CLOCK:
        return spans
    nexts = [*(s.low for s in spans[1:]), -np.inf]
    return [Span(s.place, s.low, max(s.high, after)) for s, after in zip(spans, nexts, strict=True)]


def _x(value: float, axis: Axis, zone: tzinfo) -> float | str:
    if axis is not Axis.CLOCK:
        return value
    try:
        return f"{datetime.fromtimestamp(value, UTC).astimezone(zone):%Y-%m-%dT%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00"
