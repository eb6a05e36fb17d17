"""What the reader of the curves has chosen, and the runs that are drawn. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

import numpy as np

from batonpass.core.metrics.stitch import Series
from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.curves import Array, Axis, RunCurves

_LARGER_IS_BETTER = re.compile(
    r"(?:^|[^a-z])(?:acc|auc|auroc|f1|m?iou|dice|s?bleu|rouge|map|psnr|ssim|r2)(?:[^a-z]|$)|accuracy|score|reward|precision|recall"
)
_SMALLER_IS_BETTER = re.compile(
    r"loss|error|perplexity|divergence|(?:^|[^a-z])(?:err|ppl|nll|r?mse|mae|wer|cer|fid|kl)(?:[^a-z]|$)"
)


class Best(StrEnum):
    """Which point of each curve is marked."""

    BY_NAME = "as the name suggests"
    SMALLEST = "smallest"
    LARGEST = "largest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Look:
    """What the reader has chosen. `low` and `high` are x values, None where the range is open."""

    metrics: tuple[str, ...]
    axis: Axis = Axis.STEP
    weight: float = 0.0
    log: bool = False
    log_x: bool = False
    ghosts: bool = True
    robust: bool = False
    best: Best = Best.BY_NAME
    low: float | None = None
    high: float | None = None

    @property
    def span(self) -> tuple[float, float] | None:
        """The range to draw; None for all. One that is empty or turned round counts as none."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return (low, high) if (self.low is not None or self.high is not None) and low < high else None

    @property
    def has_log_x(self) -> bool:
        """Clock time has no zero to count from."""
        return self.log_x and self.axis is not Axis.CLOCK

    def largest_is_best(self, metric: str) -> bool | None:
        """Whether the largest value of a metric is marked; False: the smallest; None: no value."""
        if self.best is Best.BY_NAME:
            return guess_largest(metric)
        return None if self.best is Best.NONE else self.best is Best.LARGEST


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One run as it is drawn. Only the first of several shows its sessions and ghosts."""

    name: str
    """Plain text, another one for each track."""
    curves: RunCurves
    sessions: dict[str, Session]
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What one drawing asks for again and again: parts of series, and x values with the series they are of."""

    def live(self, metric: str) -> Series:
        """The rows of a metric that count; KeyError where the run has not logged it."""
        if ("live", metric) not in self._kept:
            self._kept["live", metric] = self.curves.series[metric].live
        found: Series = self._kept["live", metric]
        return found

    def ghosts(self, metric: str) -> Series:
        """The rows of a metric that do not count."""
        if ("ghosts", metric) not in self._kept:
            self._kept["ghosts", metric] = self.curves.series[metric].ghosts
        found: Series = self._kept["ghosts", metric]
        return found

    def who(self, place: int) -> str:
        """The session of a leg as "session 4 (L4)"; plain text."""
        session = self.sessions.get(self.curves.legs[place].session)
        return f"session {place + 1} ({gpu_name(session)})" if session else f"session {place + 1}"

    def x(self, series: Series, look: Look) -> Array:
        """The x value of each row; NaN where the axis has no place for it."""
        key = (id(series), look.axis, look.has_log_x)
        if key not in self._kept:
            x = self.curves.x(series, look.axis)
            self._kept[key] = (series, np.where(x > 0, x, np.nan) if look.has_log_x else x)
        found: Array = self._kept[key][1]
        return found


def guess_largest(metric: str) -> bool | None:
    """Which end of a metric is the good one, by its name; None where the name does not tell.

    >>> guess_largest("val/accuracy"), guess_largest("train loss"), guess_largest("learning rate")
    (True, False, None)
    """
    name = metric[:200].lower()
    if _SMALLER_IS_BETTER.search(name):
        return False
    return True if _LARGER_IS_BETTER.search(name) else None


def on_axis(value: float, axis: Axis, zone: tzinfo) -> float | str:
    """An x value as the chart takes it: moments as the reader's own wall clock shows them."""
    if axis is not Axis.CLOCK:
        return value
    try:
        return f"{datetime.fromtimestamp(value, UTC).astimezone(zone):%Y-%m-%dT%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00"
