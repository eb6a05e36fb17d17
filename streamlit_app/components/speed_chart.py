"""Measured speeds and counted draws as ECharts options: one line of the chart per card, a mark per session or share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batonpass.core.gpu.odds import Share
from batonpass.core.gpu.speed import Speed
from batonpass.streamlit_app.components.gpus import gpu_colour

_ROW = 42
_MOST_ROWS = 24


def speed_option(speeds: Sequence[Speed]) -> tuple[dict[str, Any], int]:
    """Every session's steps per second as a circle, the median of each card as a diamond with its number; and the height in pixels."""
    shown = speeds[-_MOST_ROWS:]
    option = _rows([f"{s.gpu} (n {s.n})" for s in shown], "steps per second")
    option["series"] = [
        {
            "name": "one session",
            "type": "scatter",
            "symbolSize": 9,
            "itemStyle": {"opacity": 0.65},
            "data": [_mark(value, row, gpu_colour(s.gpu)) for row, s in enumerate(shown) for value in s.values[-200:]],
        },
        {
            "name": "median",
            "type": "scatter",
            "symbol": "diamond",
            "symbolSize": 15,
            "label": {"show": True, "position": "top", "formatter": "{b}", "fontSize": 12},
            "data": [_mark(s.median, row, gpu_colour(s.gpu), f"{s.median:.3g}") for row, s in enumerate(shown)],
        },
    ]
    return option, _height(len(shown))


def odds_option(found: Mapping[str, Sequence[Share]]) -> tuple[dict[str, Any], int]:
    """A diamond for the share seen, a bar for the 95 % interval; and the height in pixels."""
    rows = [(place, share) for place, many in found.items() for share in many][:_MOST_ROWS]
    option = _rows([f"{share.name}\n{place}" for place, share in rows], "share of machines, %")
    option["xAxis"] |= {"min": 0, "max": 100}
    option["series"] = [
        {
            "name": "95 % interval",
            "type": "line",
            "color": gpu_colour(share.name),
            "lineStyle": {"width": 5, "opacity": 0.4, "cap": "round"},
            "showSymbol": False,
            "data": [[round(100 * share.low, 1), row], [round(100 * share.high, 1), row]],
        }
        for row, (_, share) in enumerate(rows)
    ]
    option["series"].append(
        {
            "name": "share seen",
            "type": "scatter",
            "symbol": "diamond",
            "symbolSize": 14,
            "label": {"show": True, "position": "top", "formatter": "{b}", "fontSize": 12},
            "data": [
                _mark(round(100 * s.value, 1), row, gpu_colour(s.name), f"{s.times} of {s.n}")
                for row, (_, s) in enumerate(rows)
            ],
        }
    )
    return option, _height(len(rows))


def _mark(value: float, row: int, colour: str, name: str = "") -> dict[str, Any]:
    return {"value": [float(f"{value:.5g}"), row], "name": name, "itemStyle": {"color": colour}}


def _rows(names: Sequence[str], unit: str) -> dict[str, Any]:
    two_lines = any("\n" in name for name in names)
    return {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 22, "bottom": 26, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "formatter": "{a}: {c}"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "name": unit,
            "nameLocation": "middle",
            "nameGap": 26,
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {
            "type": "category",
            "data": list(names),
            "inverse": True,
            "axisTick": {"show": False},
            "axisLabel": {"width": 150, "overflow": "truncate", "interval": 0}
            | ({"lineHeight": 15} if two_lines else {}),
        },
    }


def _height(rows: int) -> int:
    return 78 + _ROW * max(1, rows)
