"""What the GPUs did during a session as an ECharts option: utilisation, memory, temperature and power, each on a grid of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import Any

from batonpass.core.gpu.readings import CURVES, MEMORY, UTILISATION, Curve, by_gpu, gap_after_s
from batonpass.core.model import GpuSample, Session
from batonpass.streamlit_app.components.charts import GAP, linked_grids

GRID_HEIGHT = 110
_LINES = ("#23938f", "#c77d26", "#8464bd", "#3f7fc4", "#c24d78", "#5d8f3a", "#a0785a", "#8b9194")
_DASHES = ("solid", "dashed", "dotted")


def drawn_curves(session: Session) -> list[Curve]:
    """The quantities that at least one reading of the session has."""
    return [curve for curve in CURVES if any(curve.read(s) is not None for s in session.gpu_samples)]


def gpu_option(session: Session, zone: tzinfo) -> tuple[dict[str, Any], int]:
    """The option and its height in pixels. Each GPU is a line of its own, named at its end; time without readings stays empty."""
    gpus, curves = by_gpu(session.gpu_samples), drawn_curves(session)
    option = linked_grids([f"{c.name}, {c.unit}" for c in curves], height=GRID_HEIGHT, x_type="time")
    for grid in option["grid"]:
        grid["right"] = 16 if len(gpus) == 1 else 60
    for row, curve in enumerate(curves):
        option["yAxis"][row] |= _range(session, curve)
    option["series"] = [
        _line(curve, row, index if len(gpus) > 1 else None, place)
        | {"data": _points(samples, curve, zone, gap_after_s(samples))}
        for row, curve in enumerate(curves)
        for place, (index, samples) in enumerate(gpus.items())
    ]
    return option, 34 + (GRID_HEIGHT + GAP) * max(1, len(curves)) - 8


def memory_gib(session: Session, index: int) -> float | None:
    """The memory of the session's GPU of that index; None where it is not known or cannot be."""
    size = session.gpus[index].memory_bytes if 0 <= index < len(session.gpus) else 0
    return size / 2**30 if 0 < size <= 2**50 else None


def _range(session: Session, curve: Curve) -> dict[str, Any]:
    """Utilisation from 0 to 100, memory from 0 to the size of the largest card: a share is seen without reading numbers."""
    if curve is UTILISATION:
        return {"min": 0, "max": 100, "interval": 25}
    sizes = [size for i in range(min(len(session.gpus), 64)) if (size := memory_gib(session, i)) is not None]
    used = [curve.read(s) or 0.0 for s in session.gpu_samples]
    if curve is MEMORY and sizes and max(used, default=0.0) <= max(sizes):
        return {"min": 0, "max": round(max(sizes), 1)}
    return {}


def _line(curve: Curve, row: int, index: int | None, place: int) -> dict[str, Any]:
    line: dict[str, Any] = {
        "name": f"{curve.name}, {curve.unit}" if index is None else f"GPU {index}: {curve.name}, {curve.unit}",
        "type": "line",
        "xAxisIndex": row,
        "yAxisIndex": row,
        "showSymbol": False,
        "connectNulls": False,
        "color": _LINES[place % len(_LINES)],
        "lineStyle": {"width": 1.6, "type": _DASHES[place % len(_DASHES)]},
    }
    if index is not None:
        line["endLabel"] = {"show": True, "formatter": f"GPU {index}", "fontSize": 11, "lineHeight": 15}
        line["labelLayout"] = {"moveOverlap": "shiftY"}
    return line


def _points(samples: Sequence[GpuSample], curve: Curve, zone: tzinfo, gap_s: float) -> list[list[Any]]:
    points = [_point(s, curve, zone) for s in samples[:1]]
    for before, after in pairwise(samples):
        if (after.at - before.at).total_seconds() > gap_s:
            points.append([points[-1][0], None])
        points.append(_point(after, curve, zone))
    return points


def _point(sample: GpuSample, curve: Curve, zone: tzinfo) -> list[Any]:
    value = curve.read(sample)
    return [f"{sample.at.astimezone(zone):%Y-%m-%dT%H:%M:%S}", None if value is None else round(value, 2)]
