"""The sessions of a run: who trained what, on which card, from where, and how it ended."""

from __future__ import annotations

import streamlit as st

from batonpass.core.lineage import Leg, Role, legs
from batonpass.core.resumption import proof_words
from batonpass.core.states import Word, session_state
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, duration, local

MOST_SESSIONS = 500
_SILENT = (Word.LIVE, Word.QUIET, Word.LOST)
_ROLES = {Role.TRUNK: "counts", Role.SUPERSEDED: "run again", Role.BRANCH: "branch"}


def show_sessions(page: Page, run: RunStory) -> None:
    """A table, oldest first."""
    rows = []
    arrived = run.files.arrived
    files = {s.session.id: s for s in run.files.sessions}
    the_legs = legs(run.files.head, [s.session for s in run.files.sessions])
    for number, leg in list(enumerate(the_legs, start=1))[-MOST_SESSIONS:]:
        found = files.get(leg.session)
        if found is None:
            continue
        s = found.session
        age_s = (page.as_of - found.info.modified).total_seconds()
        rows.append(
            {
                "": number,
                "GPU": gpu_name(s),
                "Where": place(s),
                "Began": local(s.started_at, page.zone),
                "Trained": duration(s.trained_s),
                "Steps": f"{count(leg.began_step)} to {count(s.step)}",
                "Role": _ROLES[leg.role] + (f": {plain(s.branch, limit=60)}" if s.branch else ""),
                "Resume": (s.resumed_from.label or "not finished") if s.resumed_from else "began here",
                "Proof": plain(proof_words(s.resumed_from, s.resume_proof), limit=200)
                if s.resumed_from and s.resumed_from.label
                else "",
                "How it stands": _stands(session_state(s, age_s, mount=page.mount, arrived=arrived).word, leg),
                "Ended with": plain(s.end.detail, limit=120) if s.end else "",
            }
        )
    if not rows:
        st.caption("No session could be read.")
        return
    if len(the_legs) > MOST_SESSIONS:
        st.caption(f"The last {count(MOST_SESSIONS)} of {count(len(the_legs))} sessions.")
    st.dataframe(rows, hide_index=True, alt=f"{len(rows)} sessions of {plain(run.name, limit=60)}")


def _stands(word: Word, leg: Leg) -> str:
    """A session without an end of its own that another has taken over from is neither live nor missed any more."""
    return "no last word; continued by another" if word in _SILENT and leg.superseded_by else word.value
