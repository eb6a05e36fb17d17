"""The corgi or the kitty, in the pose that the runs call for."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from batonpass.streamlit_app.components.pet_drawing import Mood, draw
from batonpass.streamlit_app.preferences import load_preferences
from batonpass.streamlit_app.standing import RunStanding

NO_PET = "none"
NEARLY_S = 60.0
"""With less training than this at risk, it is as good as durable."""
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


def pose_of(standings: Iterable[RunStanding]) -> Mood:
    """The pose that these runs call for: it sits only while next to nothing is at risk."""
    every = list(standings)
    live = [s for s in every if s.is_live]
    durable = all(s.risk_s < NEARLY_S for s in live) if live else bool(every) and all(s.is_finished for s in every)
    return mood(live=bool(live), durable=durable)


def show_pet(pose: Mood, *, words: str = "", width: int = 120) -> None:
    """The pet as a picture with words for those who do not see it; nothing when none is wanted."""
    pet = load_preferences().pet
    if pet != NO_PET:
        st.image(draw(pet, pose), width=width, alt=f"The {pet} {words or _WORDS[pose]}")
