"""Machines: which GPU each session was given, when, how fast it was for your own training, and what it was doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.model import Session
from batonpass.core.usage import last_seen
from batonpass.streamlit_app.components.card_ratio import show_ratio
from batonpass.streamlit_app.components.gpu_facts import show_facts
from batonpass.streamlit_app.components.gpu_readings import show_readings
from batonpass.streamlit_app.components.hosts_table import show_hosts
from batonpass.streamlit_app.components.odds import show_odds
from batonpass.streamlit_app.components.page import Page, open_page, say_broken
from batonpass.streamlit_app.components.run_choice import choose_run
from batonpass.streamlit_app.components.speed_table import run_speeds, show_speeds
from batonpass.streamlit_app.components.surroundings import show_surroundings
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.components.timeline_chart import shown_places, timeline_height, timeline_option
from batonpass.streamlit_app.wording import local, plural

MOST_SESSIONS = 200  # the newest; older ones count in the figures and are not drawn or listed


def show() -> None:
    """The page."""
    page = open_page("Machines")
    if page is None:
        return
    sessions = sorted((s.session for r in page.overview.runs for s in r.files.sessions), key=lambda s: s.started_at)
    if not sessions:
        st.markdown("No session yet. Each one will stand here with its GPU, its speed and its readings.")
        st.page_link("views/morning.py", label="To the first steps", icon=":material/wb_twilight:")
        say_broken(b for r in page.overview.runs for b in r.files.broken)
        return
    names = {r.files.info.run_id: plain(r.name, limit=40) for r in page.overview.runs}
    newest = sessions[-MOST_SESSIONS:]
    _timeline(page, newest, names, len(sessions))
    _one_run(page, names)
    show_odds(page, sessions)
    show_readings(page, newest, names)
    show_facts(sessions)
    say_broken(b for r in page.overview.runs for b in r.files.broken)


def _timeline(page: Page, sessions: Sequence[Session], names: Mapping[str, str], total: int) -> None:
    st.subheader("Timeline", anchor=False)
    ends = {s.id: last_seen(s) for s in sessions}
    st.echarts_chart(
        timeline_option(sessions, ends, page.zone, names),
        height=timeline_height(sessions),
        alt=f"{plural(len(sessions), 'session')} between {local(sessions[0].started_at, page.zone)} and "
        f"{local(max(ends.values()), page.zone)}, one line per place, coloured by GPU",
        key="timeline",
    )
    hidden = len({(s.host.provider, s.account) for s in sessions}) - len(shown_places(sessions))
    if total > len(sessions) or hidden > 0:
        st.caption(f"The newest {len(sessions):,} of {plural(total, 'session')}, at the places used last.")
    show_hosts(page, sessions, ends, names)


def _one_run(page: Page, names: Mapping[str, str]) -> None:
    """What can only be compared inside one run: speed, and what changed around the code."""
    st.subheader("Measured speed", anchor=False)
    st.caption("Steps are compared inside one run: two runs do different work.")
    run = choose_run(page.overview)
    if run is None:
        return
    found = run_speeds(run)
    show_speeds(page, run, found)
    show_ratio(run, found)
    own = sorted((s.session for s in run.files.sessions), key=lambda s: s.started_at)
    show_surroundings(page, own[-MOST_SESSIONS:], names)


if __name__ == "__main__":
    show()
