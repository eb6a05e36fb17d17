"""How often to save: as often as it pays, measured on this machine and on how long this run's machines have lived. Pure arithmetic.

Saving every T seconds costs d/T of the time and loses T/2 at each death, every M seconds: d/T + T/(2M) is least at T = sqrt(2 d M)
(Young 1974, Daly 2006). What a save costs may besides never be more than a fixed share of the training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from batonpass.core.model import EndKind, Session

SHARE = 0.007
"""Saving may take this share of the training's time. With the heartbeats and metrics beside it that stays below 1 %."""
SHORTEST_S = 30.0
BEFORE_MEASURED_S = SHORTEST_S
"""Until the first save has shown what it costs: a machine that dies young has then lost no more than that, and what was not sent yet."""
LONGEST_S = 600.0
"""Without a save that is dearer than that, no more than these minutes are ever at risk."""
PRIOR_LIFE_S = 3 * 3600.0
"""What one machine is taken to live before any was seen to die: the middle of what people report of free notebooks."""
MARGIN_S = 120.0
"""So long before a machine's known end, and twice the time of one upload, everything is saved once more."""

_INVOLUNTARY = {EndKind.RESTARTED, EndKind.FAILED}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one save costs, in seconds: medians of the last ones."""

    stall_s: float
    """The training waits."""
    commit_s: float
    """Processor time until it is whole on this disk."""
    send_cpu_s: float
    """Processor time until it is on the store."""
    send_s: float
    """Time from the one to the other."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds between two saves, and why, as a person would say it."""

    every_s: float
    because: str


@dataclass(frozen=True, slots=True)
class Lives:
    """How long machines live: M in seconds, from `ended` that died."""

    mean_s: float = PRIOR_LIFE_S
    ended: int = 0


def lives_of(sessions: Iterable[Session]) -> Lives:
    """From the sessions of a run that are over. One that its user closed is censored: its time counts, its end is no death.

    >>> lives_of([])
    Lives(mean_s=10800.0, ended=0)
    """
    total_s, ended = PRIOR_LIFE_S, 0
    for session in sessions:
        total_s += max((session.heartbeat_at - session.started_at).total_seconds(), 0.0)
        ended += session.end is None or session.end.kind in _INVOLUNTARY
    return Lives(total_s / (ended + 1), ended)


def tune(cost: Cost | None, lives: Lives, *, cores: int) -> Interval:
    """The interval for a save of this cost on machines that live so long. `cores`: processors that our background work is spread over.

    The training itself never waits for more than SHARE of its time. Processor time in the background is held to the same share, as long
    as that puts no more than LONGEST_S at risk.

    >>> round(tune(Cost(0.04, 0.4, 0.5, 3.0), Lives(), cores=2).every_s, 1)
    134.3
    """
    if cost is None:
        return Interval(BEFORE_MEASURED_S, "until the first save has shown what it costs")
    loss_s = cost.stall_s + (cost.commit_s + cost.send_cpu_s) / max(cores, 1)
    best_s = math.sqrt(2 * loss_s * lives.mean_s)
    least_s, waits_s = _dearest(cost), cost.stall_s / SHARE
    if waits_s >= LONGEST_S:
        return Interval(
            waits_s, f"training waits {cost.stall_s:.2g} s for a save, and may wait {SHARE:.1%} of its time"
        )
    if max(best_s, least_s) >= LONGEST_S:
        return Interval(LONGEST_S, "no more than ten minutes are put at risk")
    if max(best_s, least_s) <= SHORTEST_S:
        return Interval(SHORTEST_S, "a save costs next to nothing")
    if least_s >= best_s:
        used = cost.stall_s + cost.commit_s + cost.send_cpu_s
        return Interval(least_s, f"a save takes {used:.2g} s of processor time, and may take {SHARE:.1%} of it")
    seen = f"{lives.ended} that ended" if lives.ended else "a guess: none has ended yet"
    return Interval(best_s, f"machines live {lives.mean_s / 3600:.1f} h ({seen}), and a save loses {loss_s:.2g} s")


def _dearest(cost: Cost) -> float:
    """The shortest interval within SHARE. Where sending takes longer than that, saves on this disk go on while it sends: only every so
    many are sent, so sending takes its share whatever the interval.
    """
    own_s = cost.stall_s + cost.commit_s
    each_s = (own_s + cost.send_cpu_s) / SHARE
    left = SHARE - (cost.send_cpu_s / cost.send_s if cost.send_s > 0 else SHARE)
    if each_s >= cost.send_s or left <= 0:
        return each_s
    return min(cost.send_s, own_s / left)
