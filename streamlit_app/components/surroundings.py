"""What changed around your code: versions, driver, GPU and host, from each session to the next and between any two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.drift import Change, drift, drifts
from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpu_readings import session_label
from batonpass.streamlit_app.components.gpus import gpu_name, provider_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.wording import local, plural


def show_surroundings(page: Page, sessions: Sequence[Session], names: Mapping[str, str]) -> None:
    """`sessions` of one run, oldest first."""
    st.subheader("What changed between sessions", anchor=False)
    if len(sessions) < 2:
        st.caption("There is one session so far: the next one will be held against it.")
        return
    rows = change_rows(page, sessions)
    if rows:
        st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'change')} from session to session")
    else:
        st.caption("Nothing that was noted has changed from one session to the next.")
    known = {s.id: s for s in reversed(sessions)}
    ids = list(known)
    left, right = st.columns(2)
    key = hash(tuple(ids))
    before = left.selectbox(
        "Between",
        ids,
        index=1,
        format_func=lambda i: session_label(page, known.get(i), names),
        key=f"a-{key}",
    )
    after = right.selectbox(
        "and", ids, index=0, format_func=lambda i: session_label(page, known.get(i), names), key=f"b-{key}"
    )
    _two(known[before], known[after])


def change_rows(page: Page, sessions: Sequence[Session]) -> list[dict[str, str]]:
    """One row per change, newest session first; sessions that agree with the one they followed have none."""
    return [
        _cells(change)
        | {
            "In the session of": f"{local(after.started_at, page.zone)}, {gpu_name(after)}, {provider_name(after)}",
            "which followed": f"{local(before.started_at, page.zone)}, {gpu_name(before)}, {provider_name(before)}",
        }
        for before, after, changes in reversed(drifts(sessions))
        for change in changes
    ]


def _two(before: Session, after: Session) -> None:
    changes = drift(before, after)
    if not changes:
        st.caption("Nothing that was noted differs between these two.")
        return
    rows = [_cells(change) for change in changes]
    st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'difference')} between the two sessions")
    st.caption(
        "Only what differs. A session notes versions when it starts; CUDA and cuDNN only if torch was loaded by then."
    )


def _cells(change: Change) -> dict[str, str]:
    return {
        "What": plain(change.what, limit=40),
        "Before": plain(change.before, limit=80),
        "After": plain(change.after, limit=80),
    }
