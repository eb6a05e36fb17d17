"""The same numbers as a table, and as CSV. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from batonpass.core.metrics.stitch import Series
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.text import plain

TIME = "time (UTC)"


def long_table(
    tracks: Sequence[Track], metrics: Sequence[str], look: Look, *, newest: int | None = None
) -> pd.DataFrame:
    """One value per row within the look's range, ordered by time, with the session and GPU that logged it and whether it counts. With
    `newest` only so many rows of the end.
    """
    frames = []
    for track in tracks:
        for metric in metrics:
            if metric in track.curves.series:
                series = _within(track, track.curves.series[metric], look)
                frames.append(_frame(track, metric, _tail(series, newest), with_run=len(tracks) > 1))
    if not frames:
        return pd.DataFrame()
    whole = pd.concat(frames).sort_values([TIME, "metric"], kind="stable")
    return whole if newest is None else whole.tail(newest)


def count_rows(tracks: Sequence[Track], metrics: Sequence[str], look: Look) -> int:
    """How many rows the whole table has."""
    found = (t.curves.series[m] for t in tracks for m in metrics if m in t.curves.series)
    if look.span is None:
        return sum(len(series) for series in found)
    return sum(len(_within(t, t.curves.series[m], look)) for t in tracks for m in metrics if m in t.curves.series)


def to_csv(frame: pd.DataFrame) -> bytes:
    """A cell that a spreadsheet would run as a formula is quoted with an apostrophe."""
    safe = frame.copy()
    for column in safe.columns.intersection(["run", "metric", "GPU", "session"]):
        safe[column] = safe[column].map(_disarmed)
    return bytes(safe.to_csv(index=False).encode())


def _disarmed(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def _within(track: Track, series: Series, look: Look) -> Series:
    if look.span is None:
        return series
    x = track.curves.x(series, look.axis)
    return series.select((x >= look.span[0]) & (x <= look.span[1]))


def _tail(series: Series, newest: int | None) -> Series:
    """The newest rows by time, without sorting all of them."""
    if newest is None or len(series) <= newest:
        return series
    mask = np.zeros(len(series), np.bool_)
    mask[np.argpartition(series.time, -newest)[-newest:]] = True
    return series.select(mask)


def _frame(track: Track, metric: str, series: Series, *, with_run: bool) -> pd.DataFrame:
    ids = np.array([leg.session for leg in track.curves.legs] or [""], object)
    gpus = np.array([gpu_name(s) if (s := track.sessions.get(each)) else "" for each in ids], object)
    columns: dict[str, Any] = {"run": track.name} if with_run else {}
    columns |= {
        "metric": plain(metric, limit=80),
        "step": series.step,
        "epoch": series.epoch,
        "value": series.value,
        "counts": ~series.superseded,
        "session": ids[series.session],
        "GPU": gpus[series.session],
        TIME: pd.to_datetime(series.time, unit="s", utc=True, errors="coerce"),
    }
    return pd.DataFrame(columns)
