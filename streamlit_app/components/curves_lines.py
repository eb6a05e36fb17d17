"""The lines of one metric: ghosts first, so that they lie below; then the raw line as a shadow of the smooth one; then the line that counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from batonpass.core.metrics.smoothing import smooth
from batonpass.core.metrics.stitch import Series
from batonpass.streamlit_app.components.curves_ghosts import ghosts_of
from batonpass.streamlit_app.components.curves_look import Look, Track, on_axis
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.curves import Array, Axis, Line, best_point, draw
from batonpass.streamlit_app.wording import number

BUCKETS = 400
COLOURS = (
    "#23938f",
    "#c77d26",
    "#8464bd",
    "#3f7fc4",
    "#c24d78",
    "#5d8f3a",
    "#a0785a",
    "#4d8ba8",
    "#a3699a",
    "#7f8f3c",
)
DASHES: tuple[Any, ...] = ("solid", [9, 4], [2, 3], [10, 3, 2, 3], [5, 2])
"""With ten colours and five dashes no two of ten runs look alike, also without colour."""
LOG_PARTS = 8
"""On a logarithmic x axis as many stretches of the axis, each with buckets of its own, so that the first steps keep their shape."""
MOST_SESSIONS = 200
"""Of more, pauses are no longer seen."""
WITH_DOTS = 40
"""A line of so few points shows each of them; one of a single point would not be seen at all."""


INLINE = 80
"""A line of at most so many points is written out with its series: a table of its own costs a kilobyte more."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One line: its points as a table, and its series without the axes."""

    frame: pd.DataFrame
    series: dict[str, Any]

    @property
    def inline(self) -> dict[str, Any] | None:
        """The points of a short line, as its series holds them; None for a long one. Moments come as text."""
        if len(self.frame) > INLINE:
            return None
        columns = [_plain_values(self.frame[name]) for name in self.frame]
        return {"dimensions": list(self.frame), "data": [list(row) for row in zip(*columns, strict=True)]}


def parts_of(tracks: Sequence[Track], metric: str, row: int, look: Look, zone: tzinfo) -> Iterator[Part]:
    """Every line of one metric. Several runs are told apart by colour and dash, the metrics of one run by colour."""
    for place, track in enumerate(tracks):
        found = track.curves.series.get(metric)
        if found is None:
            continue
        alone = len(tracks) == 1
        colour = COLOURS[(row if alone else place) % len(COLOURS)]
        dash = "solid" if alone else DASHES[place % len(DASHES)]
        name = plain(metric, limit=60) if alone else track.name
        if look.ghosts and place == 0:
            yield from _ghosts(track, metric, name, colour, look, zone)
        live = track.live(metric)
        if look.weight > 0 and alone:
            raw = live_line(track, live, replace(look, weight=0.0))
            shadow = _part(raw, f"{name}, as logged", _style(colour, width=1.0, opacity=0.25), look, zone)
            shadow.series["tooltip"] = {"show": False}  # the line above it tells both values at one point
            yield shadow
        line = live_line(track, live, look)
        main = _part(line, name, _style(colour, width=1.8, opacity=1.0, dash=dash), look, zone)
        if look.weight > 0 and alone:
            main = _with_raw(main, line, live, track.x(live, look))
        main.series.update(_best(track, metric, look, zone))
        yield main


def live_line(track: Track, live: Series, look: Look) -> Line:
    """The points of the rows that count, thinned: what lies below zero has no place on a logarithmic axis and becomes a gap."""
    x = track.x(live, look)
    if look.has_log_x or look.axis is Axis.CLOCK:
        smoothed = replace(live, value=smooth(live, look.weight)) if look.weight > 0 else live
        line = _by_decades(smoothed, x, look) if look.has_log_x else _by_sessions(smoothed, x, look)
    else:
        line = draw(live, x, weight=look.weight, buckets=BUCKETS, span=look.span)
    return Line(line.x, np.where(line.y > 0, line.y, np.nan)) if look.log else line


def _by_sessions(live: Series, x: Array, look: Look) -> Line:
    """Over clock time a line of its own for each session: nothing was trained in between."""
    if not len(live):
        return Line(x, x)
    starts = np.flatnonzero(np.r_[True, np.diff(live.session) != 0])
    if len(starts) > MOST_SESSIONS:
        return draw(live, x, buckets=BUCKETS, span=look.span)
    xs, ys = [np.zeros(0)], [np.zeros(0)]
    for first, end in zip(starts.tolist(), [*starts[1:].tolist(), len(live)], strict=True):
        share = max(20, BUCKETS * (end - first) // len(live))
        line = draw(live.select(slice(first, end)), x[first:end], buckets=share, span=look.span)
        xs += [line.x, line.x[-1:]]
        ys += [line.y, np.full(len(line.x[-1:]), np.nan)]
    return Line(np.concatenate(xs), np.concatenate(ys))


def _by_decades(live: Series, x: Array, look: Look) -> Line:
    """On a logarithmic x axis buckets of their own for each stretch of the axis; the rows from zero down are left out."""
    if not len(x):
        return Line(x, x)
    finite = np.isfinite(x)
    begin = int(finite.argmax())
    rows = slice(begin, None) if finite[begin:].all() else finite
    series, xs = live.select(rows), x[rows]
    low, high = look.span or (-np.inf, np.inf)
    inside = xs[(xs >= low) & (xs <= high)]
    if not len(inside) or inside.min() == inside.max():
        return draw(series, xs, span=look.span)
    edges = np.geomspace(inside.min(), inside.max(), LOG_PARTS + 1)
    edges[-1] = np.nextafter(edges[-1], np.inf)
    lines = []
    in_order = bool(np.all(xs[1:] >= xs[:-1]))
    for first, end in pairwise(edges):
        near = slice(*np.searchsorted(xs, (first, end)).tolist()) if in_order else slice(None)
        line = draw(series.select(near), xs[near], buckets=BUCKETS // LOG_PARTS, span=(float(first), float(end)))
        mine = (line.x >= first) & (line.x < end)
        lines.append(Line(line.x[mine], line.y[mine]))
    return Line(np.concatenate([part.x for part in lines]), np.concatenate([part.y for part in lines]))


def _ghosts(track: Track, metric: str, name: str, colour: str, look: Look, zone: tzinfo) -> Iterator[Part]:
    for ghost in ghosts_of(track, metric, look):
        y = np.where(ghost.y > 0, ghost.y, np.nan) if look.log else ghost.y
        columns = {look.axis.value: _x_column(ghost.x, look.axis, zone), "drawn": _y_column(y)}
        columns[ghost.first_label] = _y_column(ghost.first)
        if ghost.again is not None:
            columns[ghost.again_label] = _y_column(ghost.again)
        series = _style(colour, width=1.6, opacity=0.6, dash="dashed")
        told = list(range(2, len(columns)))
        series |= {"name": f"{name} · {ghost.label}", "encode": {"x": 0, "y": 1, "tooltip": told}}
        series["showSymbol"] = len(ghost.x) <= 2
        yield Part(pd.DataFrame(columns), series)


def _part(line: Line, name: str, style: dict[str, Any], look: Look, zone: tzinfo) -> Part:
    frame = pd.DataFrame({look.axis.value: _x_column(line.x, look.axis, zone), name: _y_column(line.y)})
    dots = len(line.x) <= WITH_DOTS and style["lineStyle"]["opacity"] == 1.0
    return Part(frame, {**style, "name": name, "encode": {"x": 0, "y": 1}, "showSymbol": dots})


def _with_raw(part: Part, line: Line, live: Series, x: Array) -> Part:
    """The smoothed line, each point knowing its value as logged: for the hover."""
    at = np.clip(np.searchsorted(x, line.x, side="right") - 1, 0, max(len(x) - 1, 0))
    known = np.isfinite(line.y) & (x[at] == line.x) if len(x) else np.zeros(len(line.x), np.bool_)
    logged = np.where(known & np.isfinite(live.value[at]), live.value[at], np.nan) if len(x) else line.y
    frame = part.frame.set_axis([part.frame.columns[0], "smoothed"], axis=1).assign(**{"as logged": _y_column(logged)})
    return Part(frame, {**part.series, "encode": {"x": 0, "y": 1, "tooltip": [1, 2]}})


def _style(colour: str, *, width: float, opacity: float, dash: Any = "solid") -> dict[str, Any]:
    return {
        "type": "line",
        "color": colour,
        "connectNulls": False,
        "symbolSize": 4,
        "lineStyle": {"width": width, "opacity": opacity, "type": dash},
        "emphasis": {"disabled": True},
    }


def _best(track: Track, metric: str, look: Look, zone: tzinfo) -> dict[str, Any]:
    """A ring round the best value, as it was logged, with the value beside it."""
    found = best_of(track, metric, look)
    if found is None:
        return {}
    x, value = found
    if (
        (look.log and value <= 0)
        or (look.has_log_x and x <= 0)
        or not np.isfinite(x)
        or (look.span and not look.span[0] <= x <= look.span[1])
    ):
        return {}
    align = _align(x, track.x(track.live(metric), look), look)
    place = (
        "top" if look.largest_is_best(metric) or _at_the_foot(value, track.live(metric)) else "bottom"
    )  # away from the curve, and from the axis
    label = {"show": True, "position": place, "align": align, "formatter": "{b}", "fontSize": 11}
    point = {"coord": [on_axis(x, look.axis, zone), value], "name": f"best {number(value)}"}
    style = {"borderWidth": 2, "borderColor": "#ffffff", "opacity": 1}
    return {
        "markPoint": {
            "silent": True,
            "symbol": "circle",
            "symbolSize": 9,
            "label": label,
            "itemStyle": style,
            "data": [point],
        }
    }


def _at_the_foot(value: float, live: Series) -> bool:
    """So near to zero, seen from the largest value, that words below would stand on the numbers of the x axis."""
    finite = live.value[np.isfinite(live.value)]
    return len(finite) > 0 and 0 <= value < 0.06 * float(finite.max())


def _align(x: float, xs: Array, look: Look) -> str:
    """Where the words above a point have room: at an edge of the chart they run inwards."""
    low, high = look.span or (-np.inf, np.inf)
    ends = np.array([max(low, np.nanmin(xs)), min(high, np.nanmax(xs)), x])
    first, last, here = np.log(ends) if look.has_log_x else ends
    share = (here - first) / (last - first) if last > first else 0.5
    return "right" if share > 0.88 else "left" if share < 0.08 else "center"


def best_of(track: Track, metric: str, look: Look) -> tuple[float, float] | None:
    """X and value of the best point of one metric, over the whole run; None where none is to be marked."""
    largest, live = look.largest_is_best(metric), track.live(metric)
    found = best_point(live, largest=largest) if largest is not None and len(live) else None
    return (float(track.curves.x(live, look.axis)[found[0]]), found[1]) if found else None


def _x_column(x: Array, axis: Axis, zone: tzinfo) -> Any:
    """As few bytes as show it: whole steps in four, moments by the reader's clock."""
    if axis is Axis.CLOCK:
        moments = pd.to_datetime(x, unit="s", utc=True, errors="coerce")
        return moments.tz_convert(str(zone)).tz_localize(None)
    if axis is Axis.STEP and len(x) and np.isfinite(x).all() and np.abs(x).max() < 2**31:
        return x.astype(np.int32)
    return x


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    """What JSON has a word for, in seven digits."""
    if column.dtype.kind == "M":
        return [None if pd.isna(each) else each.isoformat() for each in column]
    if column.dtype.kind == "i":
        return [int(each) for each in column]
    return [float(f"{each:.7g}") if np.isfinite(each) else None for each in column]


def _y_column(y: Array) -> Any:
    """Seven digits in four bytes, where that holds them: the hover shows six. Steps and extremes were chosen before, from all digits."""
    size = np.abs(y[np.isfinite(y) & (y != 0)])
    return y.astype(np.float32) if not len(size) or (size.min() > 1e-30 and size.max() < 1e30) else y
