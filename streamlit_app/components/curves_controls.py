"""The controls above the curves. All of them are kept in the page's address, so that a link shows the same picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import numpy as np
import streamlit as st

from batonpass.core.errors import UsageError
from batonpass.core.metrics.search import LONGEST_PATTERN, find_names
from batonpass.streamlit_app.components.curves_look import Best, Look
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.curves import Axis
from batonpass.streamlit_app.wording import count, plural

FIRST_METRICS = 2
MOST_METRICS = 12
MOST_BESIDE = 9
SEARCH_FROM = 9
"""From so many metrics on there is a place to search them."""
_RANGE = ("from", "to", "since", "until")
REFINED = ("find", *_RANGE, "log", "logx", "outliers", "ghosts", "best", "beside")
"""What `find_metrics`, `refine_look` and `choose_beside` keep in the address."""
URL: Literal["query-params"] = "query-params"
_USED = "view-used"
_FIRST_DAY, _LAST_DAY = datetime(1970, 1, 2), datetime(2200, 1, 1)  # noqa: DTZ001  # the reader's wall clock, as the inputs count


def choose_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """Which metrics to draw, at most twelve; names that a link brings along and this run has not are passed over."""
    first = tuple([n for n in names if "loss" in n.lower()][:FIRST_METRICS] or names[:1])
    kept = st.session_state.get("metrics")
    if kept and not set(kept) & set(names):
        st.session_state["metrics"] = list(first)
    labels = _labels(names)
    chosen = st.multiselect(
        "Metrics",
        names,
        default=first,
        max_selections=MOST_METRICS,
        format_func=lambda n: labels.get(n, plain(n, limit=60)),
        key="metrics",
        placeholder="Choose what to draw",
        bind=URL,
    )
    return tuple(chosen[:MOST_METRICS])


def find_metrics(names: Sequence[str]) -> None:
    """Where there are many: search them by a regular expression, and draw what was found."""
    if len(names) < SEARCH_FROM and not st.session_state.get("find"):
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        found = _search(names)
        with st.container(width="content"):
            st.button(
                f"Draw {plural(min(len(found), MOST_METRICS), 'match', 'matches')}" if found else "No match",
                on_click=_draw,
                args=(tuple(found[:MOST_METRICS]),),
                disabled=not found,
                key="draw-found",
            )


def choose_look(metrics: tuple[str, ...]) -> Look:
    """How to draw them. Streamlit's own words are said for what a link brings along and nothing can be made of: it is passed over."""
    axis = st.selectbox(
        "Over",
        list(Axis),
        format_func=lambda a: a.value,
        key="axis",
        width=150,
        bind=URL,
        on_change=show_all,
        help="Hours of training leave the pauses between sessions out; clock time shows them.",
    )
    weight = st.slider(
        "Smoothing",
        0.0,
        0.99,
        0.6,
        0.01,
        key="weight",
        width=150,
        bind=URL,
        help="A moving average without a bias at the start; it never runs across a resume. The line as logged stays faint behind it.",
    )
    return Look(metrics, axis or Axis.STEP, weight)


def needs_refining(*, is_open: bool) -> bool:
    """Whether the controls that are changed less often are made: once they were looked at, or where the address or the brush says something
    for them. Until then everything is as they would say it untouched, and the page stands sooner.
    """
    in_address = any(name in st.query_params for name in REFINED)
    if is_open or in_address or any(st.session_state.get(name) is not None for name in _RANGE):
        st.session_state[_USED] = True
    return bool(st.session_state.get(_USED))


def refine_look(look: Look, zone: tzinfo) -> Look:
    """What is changed less often. Not in a popover: the Tab key would come to its content last of all."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        low, high = _range(look.axis, zone)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        log = st.toggle("Logarithmic y axis", key="log", bind=URL)
        log_x = st.toggle("Logarithmic x axis", key="logx", bind=URL, help="Not over clock time.")
        robust = st.toggle(
            "Leave outliers out of view",
            key="outliers",
            bind=URL,
            help="The y axis then spans most of the values; the line is the same.",
        )
        ghosts = st.toggle(
            "Steps run again",
            value=True,
            key="ghosts",
            bind=URL,
            help="Faded, dashed lines: steps that a later session ran again after a resume, and branches.",
        )
    best = st.selectbox(
        "Mark the best point", list(Best), format_func=lambda b: b.value, key="best", bind=URL, width=220
    )
    return replace(
        look, low=low, high=high, log=log, log_x=log_x, robust=robust, ghosts=ghosts, best=best or Best.BY_NAME
    )


def choose_beside(labels: Mapping[str, str]) -> list[str]:
    """Ids of the runs to draw beside this one: run id -> plain label."""
    if not labels:
        return []
    chosen = st.multiselect(
        "Compare with",
        list(labels),
        format_func=lambda run_id: labels.get(run_id, run_id),
        max_selections=MOST_BESIDE,
        key="beside",
        bind=URL,
        placeholder="Other runs",
    )
    return chosen[:MOST_BESIDE]


def set_range(low: float, high: float, axis: Axis, zone: tzinfo) -> None:
    """Look at the part from `low` to `high`, as the axis counts. For callbacks."""
    if axis is Axis.CLOCK:
        _set("since", _wall(low, zone))
        _set("until", _wall(high + 59, zone))
        return
    digits = 0 if axis is Axis.STEP else max(0, 3 - int(np.floor(np.log10(max(high - low, 1e-12)))))
    _set("from", round(low, digits))
    _set("to", round(high, digits))


def _set(name: str, end: float | datetime | None) -> None:
    """Also in the address as long as there is no control that would write it there."""
    st.session_state[name] = end
    if end is not None and _USED not in st.session_state:
        st.query_params[name] = str(end) if isinstance(end, float) else end.isoformat(timespec="minutes")


def show_all() -> None:
    """Leave the range. For callbacks."""
    for key in _RANGE:
        if key in st.session_state:
            st.session_state[key] = None


def _range(axis: Axis, zone: tzinfo) -> tuple[float | None, float | None]:
    """Two inputs, for the keyboard and for exact ends; an empty one leaves that end open."""
    if axis is Axis.CLOCK:
        ends: dict[str, Any] = {
            "value": None,
            "min_value": _FIRST_DAY,
            "max_value": _LAST_DAY,
            "bind": URL,
            "width": 190,
        }
        since = st.datetime_input("From", key="since", **ends)
        until = st.datetime_input("To", key="until", **ends)
        return _seconds(since, zone), _seconds(until, zone)
    shape: dict[str, Any] = {"step": 100.0 if axis is Axis.STEP else 0.1, "format": "%.10g", "width": 150}
    low = st.number_input("From", value=None, key="from", bind=URL, placeholder="the first", **shape)
    high = st.number_input("To", value=None, key="to", bind=URL, placeholder="the last", **shape)
    return _finite(low), _finite(high)


def _search(names: Sequence[str]) -> list[str]:
    pattern = (
        st.text_input(
            "Find",
            key="find",
            bind=URL,
            max_chars=LONGEST_PATTERN,
            width=190,
            placeholder="loss|acc",
            help="A regular expression.",
        )
        or ""
    )
    if not pattern.strip():
        return list(names)
    try:
        return find_names(names, pattern.strip())
    except UsageError as error:
        st.caption(f"{escaped(error.message[:1].upper() + error.message[1:])}. {escaped(error.hint)}.", width=190)
        return []


def _draw(names: tuple[str, ...]) -> None:
    st.session_state["metrics"] = list(names)


def _labels(names: Sequence[str]) -> dict[str, str]:
    """A plain label for each name, told apart by a number where two names look the same."""
    seen: dict[str, int] = {}
    labels = {}
    for name in names:
        label = plain(name, limit=60) or "(no name)"
        seen[label] = seen.get(label, 0) + 1
        labels[name] = label if seen[label] == 1 else f"{label} ({count(seen[label])})"
    return labels


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _seconds(moment: datetime | None, zone: tzinfo) -> float | None:
    try:
        return moment.replace(tzinfo=zone).timestamp() if moment is not None else None
    except (OverflowError, ValueError, OSError):
        return None


def _wall(seconds: float, zone: tzinfo) -> datetime | None:
    """The reader's own clock, to the minute as the input shows it."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    except (OverflowError, ValueError, OSError):
        return None
    return moment if _FIRST_DAY <= moment <= _LAST_DAY else None
