"""How long machines stayed: survival curves with their bands, one over the other where wanted, and the share at plain hours in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.usage import Ending, Stay
from batonpass.streamlit_app.components.gpus import NO_GPU, short_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.estimates.groups import By, grouped, median_range
from batonpass.streamlit_app.estimates.survival import ENOUGH_STAYS, Array, Survival, survival
from batonpass.streamlit_app.wording import duration, local, plural

MOST_CURVES = 5
COLOURS = ("#3f7fc4", "#c77d26", "#5d8f3a", "#8464bd", "#c24d78")
LINES = ("solid", "dashed", "dotted", [8, 3, 2, 3], [3, 6])
HOURS = (1, 3, 6, 9, 12)
LISTED = 200
ALL = "all together"


def show_lengths(label: str, every: Mapping[str, Sequence[Stay]]) -> None:
    """The curves of one account, and of what the reader lays over it: other accounts' stays, or its own by GPU or by place."""
    st.subheader("How long machines stayed", anchor=False)
    groups = _choose(label, every)
    names = _named(groups)
    curves = {name: curve for name, stays in names.items() if (curve := _curve(stays)) is not None}
    shown = dict(list(curves.items())[:MOST_CURVES])
    if shown:
        st.echarts_chart(_option(shown), height=260, alt=_words(shown), key="survival")
        st.caption(
            "Stays that you ended count as at least that long. Shaded: where the true share lies four times out of five, for each hour by itself. "
            "Your log, not a promise."
        )
        st.dataframe(
            _table(shown, names),
            hide_index=True,
            alt=f"Share of machines still there after {', '.join(f'{h} h' for h in HOURS)}, with its range",
        )
    _say_missing({n: s for n, s in names.items() if n not in curves}, len(curves) - len(shown))


def show_stays(page: Page, stays: Sequence[Stay]) -> None:
    """Every stay, newest first."""
    rows = [
        {
            "Began": local(s.began, page.zone),
            "Stayed": ("at least " if s.ending is not Ending.VANISHED else "") + duration(s.length_s),
            "Rest before": duration(s.rest_s) if s.rest_s is not None else "first",
            "GPU": ", ".join(short_name(g) for g in s.gpus) or NO_GPU,
            "How it ended": s.ending.value,
        }
        for s in reversed(stays[-LISTED:])
    ]
    left_out = f", the newest {LISTED}" if len(stays) > LISTED else ""
    with st.expander(f"Every stay ({len(stays):,}{left_out})", icon=":material/table_rows:"):
        st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'stay')}, newest first")
        st.caption(
            "A stay is one machine from its first sign of life to its last. Why a machine vanished is not known here."
        )


def _choose(label: str, every: Mapping[str, Sequence[Stay]]) -> dict[str, tuple[Stay, ...]]:
    own = every[label]
    split = st.segmented_control(
        "Curves",
        [ALL, By.GPU, By.PROVIDER, By.ACCOUNT],
        default=ALL,
        format_func={
            ALL: "This account",
            By.GPU: "By GPU",
            By.PROVIDER: "By place",
            By.ACCOUNT: "Several accounts",
        }.get,  # type: ignore[arg-type]
        required=True,
        key="curves-by",
        help="Your own records side by side, in the order of their names.",
    )
    if split in (By.GPU, By.PROVIDER):
        return grouped(own, By(str(split)))
    if split == By.ACCOUNT:
        others = [name for name in every if name != label]
        laid = st.multiselect(
            "Lay over it", others, default=others[: MOST_CURVES - 1], format_func=_name, max_selections=MOST_CURVES - 1
        )
        return {name: tuple(every[name]) for name in every if name == label or name in laid}
    return {label: tuple(own)}


def _name(key: str) -> str:
    return plain(key, limit=40) or "no label"


def _named(groups: Mapping[str, tuple[Stay, ...]]) -> dict[str, tuple[Stay, ...]]:
    """As `_name` shows them; names that only look alike stay two."""
    named: dict[str, tuple[Stay, ...]] = {}
    for key, stays in groups.items():
        name = _name(key)
        while name in named:
            name += " (another)"
        named[name] = stays
    return named


def _curve(stays: Sequence[Stay]) -> Survival | None:
    return survival(stays) if len(stays) >= ENOUGH_STAYS else None


def _option(curves: Mapping[str, Survival]) -> dict[str, Any]:
    series: list[dict[str, Any]] = []
    for place, (name, curve) in enumerate(curves.items()):
        series += _lines(name, curve, COLOURS[place], LINES[place], 0.2 if len(curves) == 1 else 0.1)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 62, "bottom": 28, "containLabel": True},
        "title": {"left": 0, "text": "% of machines still there", "textStyle": {"fontSize": 13, "fontWeight": 600}},
        "legend": {"top": 26, "left": 0, "type": "scroll", "data": [_legend(n, c) for n, c in curves.items()]},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {"type": "value", "name": "hours", "nameLocation": "middle", "nameGap": 24, "min": 0},
        "yAxis": {"type": "value", "min": 0, "max": 100},
        "series": series,
    }


def _lines(name: str, curve: Survival, colour: str, dashes: object, shade: float) -> list[dict[str, Any]]:
    """The curve and its band; the band is two unseen lines with colour between them."""

    def line(heights: Array, **more: Any) -> dict[str, Any]:
        points = [[round(x, 3), round(100 * p, 1)] for x, p in zip(curve.hours.tolist(), heights.tolist(), strict=True)]
        return {"type": "line", "step": "end", "showSymbol": False, "data": points} | more

    unseen = {
        "lineStyle": {"opacity": 0},
        "stack": f"band of {name}",
        "tooltip": {"show": False},
        "silent": True,
        "itemStyle": {"color": colour},
    }
    return [
        line(curve.low, name=f"{name}, from", **unseen),
        line(curve.high - curve.low, name=f"{name}, to", **unseen, areaStyle={"opacity": shade, "color": colour}),
        line(
            curve.share,
            name=_legend(name, curve),
            lineStyle={"width": 2, "type": dashes},
            itemStyle={"color": colour},
        ),
    ]


def _legend(name: str, curve: Survival) -> str:
    return f"{name}, n = {curve.n}"


def _words(curves: Mapping[str, Survival]) -> str:
    each = (f"{_legend(name, curve)}, {_half(curve)}" for name, curve in curves.items())
    return f"Share of machines still there by hours: {'; '.join(each)}"


def _half(curve: Survival) -> str:
    if curve.median_hours is None:
        return "more than half outlast the log"
    return f"half gone after {duration(curve.median_hours * 3600)}"


def _table(curves: Mapping[str, Survival], names: Mapping[str, Sequence[Stay]]) -> list[dict[str, str]]:
    """A row per figure and a column per curve, so that nothing is cut off on a narrow page."""
    columns = {name: _figures(curve, names[name]) for name, curve in curves.items()}
    rows = next(iter(columns.values())).keys()
    return [{"": row} | {name: figures[row] for name, figures in columns.items()} for row in rows]


def _figures(curve: Survival, stays: Sequence[Stay]) -> dict[str, str]:
    middle, low, high = (
        duration(h * 3600) if h is not None else "beyond the log" for h in (curve.median_hours, *median_range(curve))
    )
    figures = {
        "Stays (vanished)": f"{curve.n:,} ({curve.vanished:,})",
        "Half gone after": f"{middle} ({low} to {high})",
    }
    longest = max(s.length_s for s in stays) / 3600
    for hour in HOURS:
        share, least, most = curve.at(hour)
        seen = hour <= longest or share == 0
        figures[f"Still there at {hour} h"] = (
            f"{percent(share)} ({percent(least)} to {percent(most)})" if seen else "not seen"
        )
    return figures


def _say_missing(without: Mapping[str, Sequence[Stay]], left_out: int) -> None:
    """Why there is no curve, and what would make one."""
    for name, stays in list(without.items())[:MOST_CURVES]:
        vanished = sum(not s.censored for s in stays)
        so_far = (
            f"{plural(len(stays), 'stay')} so far, {vanished} vanished by {'itself' if vanished == 1 else 'themselves'}"
        )
        st.caption(
            f":material/hourglass_empty: {escaped(name, limit=40)}: {so_far}. A curve needs {ENOUGH_STAYS} stays, one of them vanished."
        )
    if left_out > 0:
        st.caption(f"{plural(left_out, 'more curve')} left out, so that the chart can be read.")
