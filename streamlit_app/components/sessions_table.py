"""The sessions of a run: who trained what, on which card, from where, and how it ended."""

from __future__ import annotations

import streamlit as st

from batonpass.core.lineage import Role, did_anything, legs
from batonpass.core.model import Session
from batonpass.core.resumption import resume_in_short, resume_words
from batonpass.core.states import session_state, stands
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, duration, local

MOST_SESSIONS = 500
_WIDTHS = {
    "": 40,
    "GPU": 76,
    "Where": 136,
    "Began": 124,
    "Trained": 82,
    "Steps": 130,
    "Role": 76,
    "How it stands": 170,
    "Resume": 190,
    "In full": 100,
}
"""The columns and their pixels: what matters stands in a window of 1,280; the last one opens when its cell is clicked."""
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
        age_s = (page.as_of - found.heard_at).total_seconds()
        rows.append(
            {
                "": number,
                "GPU": gpu_name(s),
                "Where": place(s),
                "Began": local(s.started_at, page.zone),
                "Trained": duration(s.trained_s),
                "Steps": f"{count(leg.began_step)} to {count(s.step)}" if s.resumed_from or did_anything(s) else "none",
                "Role": _ROLES[leg.role] + (f": {plain(s.branch, limit=60)}" if s.branch else ""),
                "How it stands": stands(
                    session_state(s, age_s, mount=page.mount, arrived=arrived).word,
                    s,
                    continued=leg.superseded_by is not None,
                ),
                "Resume": _resume(s),
                "In full": _in_full(s),
            }
        )
    if not rows:
        st.caption("No session could be read.")
        return
    if len(the_legs) > MOST_SESSIONS:
        st.caption(f"The last {count(MOST_SESSIONS)} of {count(len(the_legs))} sessions.")
    widths = _WIDTHS if any(row["In full"] for row in rows) else {n: w for n, w in _WIDTHS.items() if n != "In full"}
    shown = [{name: row[name] for name in widths} for row in rows]
    st.dataframe(
        shown,
        hide_index=True,
        column_config={name: st.column_config.Column(width=width) for name, width in widths.items()},
        alt=f"{len(rows)} sessions of {plain(run.name, limit=60)}",
    )


def _resume(session: Session) -> str:
    if session.resumed_from is not None:
        return plain(resume_in_short(session.resumed_from, session.resume_proof), limit=60)
    return "began here" if did_anything(session) else "nothing trained yet"


def _in_full(session: Session) -> str:
    """How the resume came out, and the error that it ended with."""
    resume = resume_words(session.resumed_from, session.resume_proof) if session.resumed_from is not None else ""
    detail = plain(session.end.detail, limit=120) if session.end is not None else ""
    return "; ".join(part for part in (plain(resume, limit=220), detail) if part)
