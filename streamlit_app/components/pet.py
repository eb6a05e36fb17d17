"""The corgi or the kitty, in the pose that the runs call for."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.pet_drawing import Mood, draw
from batonpass.streamlit_app.preferences import load_preferences

NO_PET = "none"
_WORDS = {
    Mood.SLEEPING: "sleeps: no run is live",
    Mood.RUNNING: "runs with the baton: a run is live",
    Mood.SITTING: "sits on the checkpoint: the work of every live run is durable",
}


def mood(*, live: bool, durable: bool) -> Mood:
    """Sleeps while all is quiet, runs while something trains, sits once what is trained is (nearly all) durable or proven."""
    if live:
        return Mood.SITTING if durable else Mood.RUNNING
    return Mood.SITTING if durable else Mood.SLEEPING


def show_pet(pose: Mood, *, words: str = "") -> None:
    """The pet as a picture with words for those who do not see it; nothing when none is wanted."""
    pet = load_preferences().pet
    if pet != NO_PET:
        st.image(draw(pet, pose), width=120, alt=f"The {pet} {words or _WORDS[pose]}")
