"""A state as an icon, a word and a colour, in this order of importance."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from batonpass.core.model import Session
from batonpass.core.states import State, Word
from batonpass.streamlit_app.components.text import escaped

Colour = Literal["green", "orange", "red", "gray", "blue", "violet"]
_LOOKS: dict[Word, tuple[str, Colour]] = {
    Word.NOT_STARTED: (":material/hourglass_empty:", "gray"),
    Word.LIVE: (":material/directions_run:", "green"),
    Word.QUIET: (":material/bedtime:", "orange"),
    Word.LOST: (":material/signal_disconnected:", "orange"),
    Word.PROCESS_GONE: (":material/motion_photos_off:", "orange"),
    Word.RESTARTED: (":material/restart_alt:", "blue"),
    Word.STOPPED: (":material/pan_tool:", "gray"),
    Word.FAILED: (":material/error:", "red"),
    Word.CLOSED: (":material/door_front:", "gray"),
    Word.PARTED: (":material/link_off:", "orange"),
    Word.FINISHED: (":material/flag:", "blue"),
    Word.PROVEN: (":material/verified:", "green"),
    Word.UNKNOWN: (":material/help:", "gray"),
}


def show_state(state: State, session: Session | None = None) -> None:
    """The badge with its sentence as help, and the error's own words where the session failed with one."""
    icon, colour = _LOOKS[state.word]
    st.badge(state.word.value, icon=icon, color=colour, help=state.sentence)
    if session is not None and session.end is not None and session.end.detail:
        st.caption(escaped(session.end.detail, limit=160))
