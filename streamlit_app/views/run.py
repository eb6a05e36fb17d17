"""Run: one run as one story. Curves over all its machines, the sessions, the checkpoints, the notes."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.choice import address_of
from batonpass.streamlit_app.components.curves_panel import show_curves
from batonpass.streamlit_app.components.forget_run import say_forgotten
from batonpass.streamlit_app.components.outlook import outlook
from batonpass.streamlit_app.components.page import Page, open_page, say_broken
from batonpass.streamlit_app.components.run_choice import choose_run
from batonpass.streamlit_app.components.run_parts import show_parts
from batonpass.streamlit_app.components.state_badge import show_state
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding, read_standing
from batonpass.streamlit_app.wording import ago, count, duration, plural, sessions_words


def show() -> None:
    """The page."""
    page = open_page("Run")
    say_forgotten()
    run = choose_run(page.overview) if page else None
    if page is None or run is None:
        return
    standing = read_standing(run, page.as_of, mount=page.mount)
    _head(page, run, standing)
    show_curves(page, run)
    show_parts(page, run, standing)
    say_broken(run.files.broken)


def _head(page: Page, run: RunStory, standing: RunStanding) -> None:
    """State and the four numbers that matter."""
    with st.container(horizontal=True, vertical_alignment="center"):
        show_state(standing.state, standing.session)
        for tag in run.files.annotations.tags[:6]:
            st.badge(escaped(tag, limit=30), icon=":material/sell:", color="gray")
        if standing.wants_you and st.button("Resume", icon=":material/play_circle:", type="primary", key="to-resume"):
            st.switch_page("views/resume.py", query_params=address_of(run.files.info.run_id))
    goal = run.goal_steps
    newest = standing.newest
    with st.grid(4, min_column_width=150):
        st.metric(
            "Steps",
            count(standing.step),
            delta=f"of {count(goal)}" if goal else None,
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            "Last durable step" if newest is None or newest.proven else "Last handed over",
            count(newest.step) if newest else "none",
            delta=ago((page.as_of - newest.listing.published_at).total_seconds()) if newest else None,
            delta_color="off",
            delta_arrow="off",
        )
        since = standing.since_handed_over
        told = "" if standing.since_s is None else f", told {ago(standing.since_s)}"
        st.metric(
            "Work at risk" if standing.is_live else "Not saved" if since is None else "Not proven",
            plural(standing.risk_steps, "step"),
            delta=(f"{count(since.steps)} since it was handed over" if since else duration(standing.risk_s)) + told,
            delta_color="off",
            delta_arrow="off",
        )
        trained = sum(s.session.trained_s for s in run.files.sessions)
        st.metric(
            "Time trained",
            duration(trained),
            delta=sessions_words(s.session for s in run.files.sessions),
            delta_color="off",
            delta_arrow="off",
        )
    if lines := [*_saves(standing), *outlook(page, run, standing)]:
        st.markdown("  \n".join(lines))


def _saves(standing: RunStanding) -> list[str]:
    """How often the live session saves, so that one knows when the work at risk will be less."""
    every_s = standing.session.save_every_s if standing.is_live and standing.session is not None else None
    return [f":material/save: Saved every {duration(every_s)} while it trains"] if every_s else []


if __name__ == "__main__":
    show()
