"""What is left of a run, in words: hours of training, when it may be done, and whether the deadline holds."""

from __future__ import annotations

import streamlit as st

from batonpass.core.amounts import percent
from batonpass.core.gpu.speed import session_speed
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.estimates.forecast import Forecast, forecast
from batonpass.streamlit_app.estimates.hours import hours_by_gpu
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import ago, count, duration, local, plural


def show_outlook(page: Page, run: RunStory, standing: RunStanding) -> None:
    """The lines of `outlook`, and what is left on each GPU that the run has had; nothing for a run that is finished."""
    lines = [*rate_words(standing), *outlook(page, run, standing), *hours_words(page, run, standing)]
    if lines:
        st.markdown("  \n".join(lines))


def rate_words(standing: RunStanding) -> list[str]:
    """How fast the live session trains, and when it would be through at that pace."""
    beats = standing.is_live and not standing.is_quiet
    pace = session_speed(standing.session) if beats and standing.session is not None else None
    return [f":material/speed: {pace:.3g} steps/s this session"] if pace else []


def hours_words(page: Page, run: RunStory, standing: RunStanding) -> list[str]:
    """What is left of the training against what is left of the time, on each GPU that the run has had; only with a deadline ahead."""
    deadline, goal = run.files.annotations.deadline, run.goal_steps
    begins_at = standing.step if standing.is_live else standing.newest.step if standing.newest is not None else 0
    left_s = (deadline - page.as_of).total_seconds() if deadline is not None else 0.0
    if standing.is_finished or left_s <= 0 or not goal or goal <= begins_at:
        return []
    found = hours_by_gpu(run, goal - begins_at)[:6]
    if not found:
        return []
    longer = [h for h in found if h.training_s > left_s]
    verdict = "fits on each" if not longer else "fits on none" if len(longer) == len(found) else "fits where not marked"
    each = [
        f"{escaped(h.gpu)} {duration(h.training_s)}{' **too long**' if 0 < len(longer) < len(found) and h in longer else ''} (n = {h.n})"
        for h in found
    ]
    return [
        f":material/memory: On each GPU you have had it takes {' · '.join(each)} of training; {duration(left_s)} left: {verdict}"
    ]


def outlook(page: Page, run: RunStory, standing: RunStanding) -> list[str]:
    """Lines of Markdown; none for a run that is finished."""
    if standing.is_finished:
        return []
    guess = forecast(run, standing, page.as_of)
    lines = []
    if guess is not None:
        lines.append(f":material/trending_up: {_left(page, guess)}")
    deadline = run.files.annotations.deadline
    if deadline is not None:
        left_s = (deadline - page.as_of).total_seconds()
        when = f"in {duration(left_s)}" if left_s > 0 else ago(-left_s)
        lines.append(f":material/flag: Deadline {local(deadline, page.zone)}, {when}{_chance(run, guess, left_s)}")
    return lines


def _left(page: Page, guess: Forecast) -> str:
    words = f"About {duration(guess.training_s)} of training left"
    early, late = guess.by(0.1, page.as_of), guess.by(0.9, page.as_of)
    if guess.finish is None:
        return f"{words} (from {plural(guess.n, 'session')}; your log, not a promise)"
    if early is None:
        return f"{words}; at this rate it does not get there (from your last {plural(guess.finish.n, 'session')})"
    until = f"and {local(late, page.zone)}" if late is not None else "and much later"
    return f"{words}; done between {local(early, page.zone)} {until} in 80 % of cases (from your last {plural(guess.finish.n, 'session')}; your log, not a promise)"


def _chance(run: RunStory, guess: Forecast | None, left_s: float) -> str:
    if guess is None or left_s <= 0:
        return ""
    if guess.finish is None:
        need = "more than is left" if guess.training_s > left_s else "less than is left"
        return f": {duration(guess.training_s)} of training to go, {need}"
    share = guess.finish.chance_within(left_s)
    odds = "under 1 %" if share < 0.01 else "over 99 %" if share > 0.99 else percent(share)
    return f": step {count(run.goal_steps)} by then: **{odds}**"
