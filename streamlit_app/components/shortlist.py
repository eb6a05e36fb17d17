"""Which of very many checkpoints a list offers: the newest, and the best by each metric whose name says which way is better. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from batonpass.core.model import CheckpointListing
from batonpass.streamlit_app.components.curves_look import guess_largest

NEWEST = 200
"""More than anybody reads; a browser bears it, and any other step can be typed."""
MOST_METRICS = 4


def shortlist(found: Sequence[CheckpointListing], *, newest: int = NEWEST) -> dict[str, str]:
    """Key -> what it is best by (empty for most), in the order of `found`, which has the newest first."""
    best = best_by(found)
    kept = {listing.key for listing in found[:newest]} | best.keys()
    return {listing.key: best.get(listing.key, "") for listing in found if listing.key in kept}


def best_by(found: Iterable[CheckpointListing]) -> Mapping[str, str]:
    """Key -> the metrics that no other checkpoint has a better value of; of equal ones the newest."""
    best: dict[str, tuple[float, str]] = {}
    for listing in found:
        for metric, value in listing.metrics.items():
            largest = guess_largest(metric)
            if largest is None or not math.isfinite(value) or (metric not in best and len(best) >= MOST_METRICS):
                continue
            rank = -value if largest else value
            if metric not in best or rank < best[metric][0]:
                best[metric] = (rank, listing.key)
    keys: dict[str, list[str]] = {}
    for metric, (_, key) in best.items():
        keys.setdefault(key, []).append(metric)
    return {key: ", ".join(metrics) for key, metrics in keys.items()}


def at_step(found: Iterable[CheckpointListing], step: int) -> CheckpointListing | None:
    """The first one of exactly this step."""
    return next((listing for listing in found if listing.step == step), None)


def steps_around(found: Iterable[CheckpointListing], step: int) -> tuple[int, ...]:
    """The nearest steps below and above that have a checkpoint."""
    steps = {listing.step for listing in found}
    below = max((s for s in steps if s < step), default=None)
    above = min((s for s in steps if s > step), default=None)
    return tuple(s for s in (below, above) if s is not None)
