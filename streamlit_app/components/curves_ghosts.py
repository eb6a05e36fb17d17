"""Steps that were run again, and branches: faded lines whose every point knows what it was first and what it became. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batonpass.core.lineage import Role
from batonpass.core.metrics.smoothing import smooth
from batonpass.core.metrics.stitch import Series
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.curves import Array

GHOST_BUCKETS = 25
"""Four points for each at most: a ghost is a short stretch of the whole."""
FEWEST_BUCKETS = 4
"""Of a ghost that is but a few pixels wide."""
MOST_GHOSTS = 40
"""Of one metric; older ones are drawn as one line."""
_NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Ghost:
    """One session's stretches that do not count, as far as one other session, or none, ran them again."""

    x: Array
    y: Array
    """As drawn: smoothed; NaN between two stretches."""
    first: Array
    """The values as they were first logged, unsmoothed."""
    again: Array | None
    """The values as they were computed again, at the same steps; None on a branch and where nobody has come so far."""
    label: str
    first_label: str
    again_label: str


def ghosts_of(track: Track, metric: str, look: Look) -> Iterator[Ghost]:
    """The ghosts of one metric within the look's range, oldest session first."""
    ghosts, live = track.ghosts(metric), track.live(metric)
    x = track.x(ghosts, look)
    low, high = look.span or (-np.inf, np.inf)
    inside = np.isfinite(x) & (x >= low) & (x <= high)
    if not inside.any():
        return
    drawn = smooth(ghosts, look.weight) if look.weight > 0 else ghosts.value
    by, again = _run_again_by(ghosts, live)
    branch = np.array([leg.role is Role.BRANCH for leg in track.curves.legs], np.bool_)
    by = np.where(branch[ghosts.session], _NOBODY, by)
    kept = np.flatnonzero(inside)
    kept = kept[np.lexsort((kept, by[kept], ghosts.session[kept]))]
    ends = np.flatnonzero((np.diff(ghosts.session[kept]) != 0) | (np.diff(by[kept]) != 0)) + 1
    groups = np.split(kept, ends)
    width = _width(track.x(live, look), x[kept], look)
    for rows in groups[-MOST_GHOSTS:]:
        place, recomputed_by = int(ghosts.session[rows[0]]), int(by[rows[0]])
        buckets = _buckets(x[rows], width, look)
        drawn_rows = rows[_thinned(ghosts.value[rows], ghosts.piece[rows], buckets)]
        yield _ghost(track, ghosts, drawn_rows, x, drawn, again, place, recomputed_by, is_branch=bool(branch[place]))
    if len(groups) > MOST_GHOSTS:
        yield _older(ghosts, np.concatenate(groups[:-MOST_GHOSTS]), x, drawn, len(groups) - MOST_GHOSTS)


def _older(ghosts: Series, rows: NDArray[np.intp], x: Array, drawn: Array, count: int) -> Ghost:
    """What is more than can be told apart, as one: nothing that was logged is left out of the picture."""
    rows = rows[_thinned(ghosts.value[rows], ghosts.piece[rows], GHOST_BUCKETS)]
    cuts = np.flatnonzero(np.diff(ghosts.piece[rows])) + 1
    name = f"run again later, {count:,} older stretches"
    return Ghost(
        np.insert(x[rows], cuts, x[rows][cuts]),
        _spaced(drawn[rows], cuts),
        _spaced(ghosts.value[rows], cuts),
        None,
        name,
        "first value",
        "",
    )


def _ghost(
    track: Track,
    ghosts: Series,
    rows: NDArray[np.intp],
    x: Array,
    drawn: Array,
    again: Array,
    place: int,
    by: int,
    *,
    is_branch: bool,
) -> Ghost:
    cuts = np.flatnonzero(np.diff(ghosts.piece[rows])) + 1
    who = track.who(place)
    return Ghost(
        np.insert(x[rows], cuts, x[rows][cuts]),
        _spaced(drawn[rows], cuts),
        _spaced(ghosts.value[rows], cuts),
        _spaced(again[rows], cuts) if by != _NOBODY else None,
        f"branch, {who}" if is_branch else f"run again later, {who}",
        f"value on the branch, {who}" if is_branch else f"first value, {who}",
        f"recomputed in {track.who(by)}" if by != _NOBODY else "",
    )


def _run_again_by(ghosts: Series, live: Series) -> tuple[NDArray[np.int64], Array]:
    """For each ghost row the leg that logged its step for good, and the last value that it logged there."""
    if not len(live):
        return np.full(len(ghosts), _NOBODY, np.int64), np.full(len(ghosts), np.nan)
    place = np.searchsorted(live.step, ghosts.step, side="right") - 1
    same = (place >= 0) & (live.step[place] == ghosts.step)
    by = np.where(same, live.session[place], _NOBODY).astype(np.int64)
    return by, np.where(same, live.value[place], np.nan)


def _width(live_x: Array, ghost_x: Array, look: Look) -> float:
    """How much of the x axis is shown."""
    known = np.concatenate([live_x[np.isfinite(live_x)], ghost_x])
    low, high = look.span or (-np.inf, np.inf)
    return float(min(high, known.max()) - max(low, known.min()))


def _buckets(x: Array, width: float, look: Look) -> int:
    """As many as a ghost has room for: one of a hundredth of the axis is some ten pixels wide."""
    if look.has_log_x or not width > 0:
        return GHOST_BUCKETS
    room = 4 * GHOST_BUCKETS * float(x.max() - x.min()) / width
    return int(np.clip(np.ceil(room), FEWEST_BUCKETS, GHOST_BUCKETS)) if np.isfinite(room) else GHOST_BUCKETS


def _thinned(value: Array, piece: NDArray[np.int32], buckets: int) -> NDArray[np.intp]:
    """Which rows to draw: all, or of each bucket the first, the last, the lowest and the highest. A bucket lies within one piece."""
    count = len(value)
    if count <= 4 * buckets:
        return np.arange(count)
    bucket = np.arange(count) * buckets // count
    starts = np.flatnonzero(np.r_[True, (np.diff(bucket) != 0) | (np.diff(piece) != 0)])
    group = np.cumsum(np.isin(np.arange(count), starts)) - 1
    order = np.lexsort((np.where(np.isnan(value), np.inf, value), group))
    highest_last = np.lexsort((np.where(np.isnan(value), -np.inf, value), group))
    ends = np.r_[starts[1:], count] - 1
    return np.unique(np.concatenate([starts, ends, order[starts], highest_last[ends]]))


def _spaced(values: Array, cuts: NDArray[np.intp]) -> Array:
    return np.insert(np.where(np.isfinite(values), values, np.nan), cuts, np.nan)
