"""What the GPU did during a session as an ECharts option: utilisation, memory and temperature, each on a grid of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

from batonpass.core.model import GpuSample, Session
from batonpass.streamlit_app.components.charts import GAP, linked_grids

_CURVES: tuple[tuple[str, Callable[[GpuSample], float | None]], ...] = (
    ("utilisation, %", lambda s: s.utilisation_percent),
    ("memory, GiB", lambda s: None if s.memory_used_bytes is None else round(s.memory_used_bytes / 2**30, 2)),
    ("temperature, °C", lambda s: s.temperature_c),
    ("power, W", lambda s: s.power_w),
)
GRID_HEIGHT = 110


def gpu_option(session: Session, zone: tzinfo) -> tuple[dict[str, Any], int]:
    """The option and its height in pixels. A curve that no reading has is left out; two GPUs are two lines."""
    indexes = sorted({s.index for s in session.gpu_samples})[:8]
    curves = [(name, read) for name, read in _CURVES if any(read(s) is not None for s in session.gpu_samples)]
    option = linked_grids([name for name, _ in curves], height=GRID_HEIGHT, x_type="time")
    option["series"] = [
        {
            "name": name if len(indexes) == 1 else f"GPU {index}: {name}",
            "type": "line",
            "xAxisIndex": row,
            "yAxisIndex": row,
            "showSymbol": False,
            "lineStyle": {"width": 1.6, "type": ("solid", "dashed", "dotted")[k % 3]},
            "data": _points([s for s in session.gpu_samples if s.index == index], read, zone),
        }
        for row, (name, read) in enumerate(curves)
        for k, index in enumerate(indexes)
    ]
    return option, 34 + (GRID_HEIGHT + GAP) * max(1, len(curves)) - 8


def _points(samples: Sequence[GpuSample], read: Callable[[GpuSample], float | None], zone: tzinfo) -> list[list[Any]]:
    return [[f"{s.at.astimezone(zone):%Y-%m-%dT%H:%M:%S}", _finite(read(s))] for s in samples]


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < 1e15 else None
