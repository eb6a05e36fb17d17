"""The corgi or the kitty, in the pose that the runs call for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import streamlit as st

from batonpass.streamlit_app.components.pet_drawing import Mood, draw
from batonpass.streamlit_app.pet_watch import look, sits
from batonpass.streamlit_app.preferences import load_preferences
from batonpass.streamlit_app.standing import RunStanding

NO_PET = "none"
_WATCH = "pet-watch"
_WORDS = {
    Mood.SLEEPING: "sleeps: no run is live",
    Mood.RUNNING: "runs with the baton: a run is live",
    Mood.SITTING: "sits on the checkpoint: a new one has just become durable, or no work is at risk",
}


def mood(*, live: bool, durable: bool) -> Mood:
    """Sleeps while all is quiet, runs while something trains, sits on what is durable."""
    if live:
        return Mood.SITTING if durable else Mood.RUNNING
    return Mood.SITTING if durable else Mood.SLEEPING


def pose_now(store: str, story: Hashable, standings: Mapping[str, RunStanding]) -> Mood:
    """The pose that these runs (by id) call for in this tab, which remembers what it saw; `story` names what is being drawn."""
    watch = look(st.session_state.get(_WATCH), store, story, standings)
    st.session_state[_WATCH] = watch
    return mood(live=any(s.is_live and not s.is_quiet for s in standings.values()), durable=sits(watch, standings))


def show_pet(pose: Mood, *, words: str = "", width: int = 120) -> None:
    """The pet as a picture with words for those who do not see it; nothing when none is wanted."""
    pet = load_preferences().pet
    if pet != NO_PET:
        st.image(draw(pet, pose), width=width, alt=f"The {pet} {words or _WORDS[pose]}")
