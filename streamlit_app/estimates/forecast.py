"""What is left of a run: the hours of training by its measured speed, and when it may be done, from its own sessions and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from batonpass.core.gpu.speed import session_speed
from batonpass.streamlit_app.estimates.finish import Finish, simulate_finish
from batonpass.streamlit_app.estimates.history import read_history
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding


@dataclass(frozen=True, slots=True)
class Forecast:
    """`training_s` is time inside the loop, at the median speed of the `n` sessions that were measured."""

    training_s: float
    n: int
    finish: Finish | None = None
    """Pauses included; None below five sessions that are over."""

    def by(self, share: float, now: datetime) -> datetime | None:
        """When this share of the futures is done; None where that is further off than a calendar reaches, or nothing was simulated."""
        try:
            return now + timedelta(seconds=self.finish.within(share)) if self.finish is not None else None
        except OverflowError:
            return None


def forecast(run: RunStory, standing: RunStanding, now: datetime) -> Forecast | None:
    """`now` is the store's clock when the run was read. None without a goal, at the goal, and without a measured session."""
    goal = run.goal_steps
    counted = [s.session for s in run.files.sessions if s.session.branch is None]
    speeds = [pace for s in counted if (pace := session_speed(s)) is not None]
    if not goal or goal <= standing.step or not speeds:
        return None
    history = read_history(run, now, live=standing.is_live)
    newest = standing.newest
    begins_at = standing.step if standing.is_live else newest.step if newest is not None else 0
    finish = simulate_finish(history, goal - begins_at)
    return Forecast((goal - begins_at) / median(speeds), len(speeds), finish)
