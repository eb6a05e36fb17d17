"""What stands below a run's curves, part by part under tabs. A part is made when its tab is first opened: the page stands sooner without."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.checkpoints_table import show_checkpoints
from batonpass.streamlit_app.components.config_table import show_config
from batonpass.streamlit_app.components.notes import show_notes
from batonpass.streamlit_app.components.organise import show_organise
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.sessions_table import show_sessions
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding

_OPENED = "parts-opened"


def show_parts(page: Page, run: RunStory, standing: RunStanding) -> None:
    """A tab each. One that was opened stays, also while another is in front: what somebody types there is not lost."""
    parts: dict[str, Callable[[], None]] = {
        "Sessions": lambda: show_sessions(page, run),
        "Checkpoints": lambda: show_checkpoints(page, run, standing),
        "Notes": lambda: show_notes(page, run),
        "Config": lambda: show_config(run),
        "Organise": lambda: _organise(page, run, standing),
    }
    opened: set[str] = st.session_state.setdefault(_OPENED, set())
    for (name, show), tab in zip(parts.items(), st.tabs(list(parts), key="part", on_change="rerun"), strict=True):
        if tab.open:
            opened.add(name)
        if name in opened:
            with tab:
                show()


def _organise(page: Page, run: RunStory, standing: RunStanding) -> None:
    if is_read_only():
        st.caption("This app only looks: title, tags, goal and deadline are changed on your own computer.")
    else:
        show_organise(page, run, standing)
