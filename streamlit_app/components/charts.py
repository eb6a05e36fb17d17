"""What all charts share: several grids on one canvas, linked by one pointer and one zoom, legible on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

GAP = 44
"""Pixels between two grids: the name of the lower one and the numbers of the upper one's axis."""


def linked_grids(names: Sequence[str], *, height: int, x_type: str, top: int = 34, log: bool = False) -> dict[str, Any]:
    """An option with one grid of `height` pixels per name, without series. Only the last grid shows the x axis."""
    last = len(names) - 1
    rows = range(len(names))
    return {
        "animation": False,
        "tooltip": {"trigger": "axis", "confine": True},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [{"left": 64, "right": 16, "top": top + row * (height + GAP), "height": height} for row in rows],
        "title": [
            {
                "text": name,
                "left": 0,
                "top": top + row * (height + GAP) - 28,
                "textStyle": {"fontSize": 13, "fontWeight": 600},
            }
            for row, name in enumerate(names)
        ],
        "xAxis": [
            {
                "type": x_type,
                "gridIndex": row,
                "scale": True,
                "axisLabel": {"show": row == last, "hideOverlap": True},
                "axisTick": {"show": row == last},
                "splitLine": {"show": False},
            }
            for row in rows
        ],
        "yAxis": [
            {
                "type": "log" if log else "value",
                "gridIndex": row,
                "scale": True,
                "splitNumber": 4,
                "axisLabel": {"hideOverlap": True},
            }
            for row in rows
        ],
        "dataZoom": [{"type": "inside", "xAxisIndex": list(rows), "filterMode": "none", "zoomOnMouseWheel": "ctrl"}],
    }
