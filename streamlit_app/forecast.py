"""How much training is left, from what was measured: a plain division, with the number of sessions it rests on. No simulation yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from batonpass.core.gpu.speed import ENOUGH_S, ENOUGH_STEPS
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding

ENOUGH_SESSIONS = 5
"""From this many sessions on, the run's own pace over days is worth a date."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """`training_s` is time inside the loop; `done_at` counts the pauses too, and is None below five sessions."""

    training_s: float
    done_at: datetime | None
    n: int


def forecast(run: RunStory, standing: RunStanding, now: datetime) -> Forecast | None:
    """From the median speed of the sessions that count; None without a goal or a measured session."""
    goal = run.goal_steps
    measured = [
        s.session
        for s in run.files.sessions
        if s.session.branch is None and s.session.trained_s >= ENOUGH_S and s.session.steps_done >= ENOUGH_STEPS
    ]
    if not goal or goal <= standing.step or not measured:
        return None
    left = goal - standing.step
    speed = median(s.steps_done / s.trained_s for s in measured)
    wall_s = (now - min(s.started_at for s in measured)).total_seconds()
    days = left * wall_s / standing.step if standing.step > 0 and len(measured) >= ENOUGH_SESSIONS else None
    try:
        done_at = now + timedelta(seconds=days) if days is not None else None
    except OverflowError:
        done_at = None
    return Forecast(left / speed, done_at, len(measured))
