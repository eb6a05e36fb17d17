"""How much of the store the runs take, as the session files tell: no listing, so nothing that others put there is counted."""

from __future__ import annotations

import streamlit as st

from batonpass.core.owners import bytes_by_owner
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import plural, size


def run_size_bytes(run: RunStory) -> int:
    """Checkpoints and metric segments that the sessions of a run list, in bytes. Files shared by two checkpoints count twice."""
    sessions = [s.session for s in run.files.sessions]
    return sum(c.size_bytes for s in sessions for c in s.checkpoints) + sum(
        g.size_bytes for s in sessions for g in s.segments
    )


def show_space(page: Page) -> None:
    """A bar per run, largest first, and who owns the bytes where the store says so."""
    st.subheader("Space", anchor=False)
    sizes = sorted(((run_size_bytes(r), r) for r in page.overview.runs), key=lambda pair: -pair[0])
    total = sum(n for n, _ in sizes)
    if not total:
        st.caption("Nothing is stored yet.")
        return
    st.markdown(f"About **{size(total)}** in {plural(len(sizes), 'run')}, as the session files list it.")
    for n, run in sizes[:20]:
        st.progress(min(1.0, max(0.0, n / total)), text=f"{escaped(run.name, limit=50)} · {size(n)}")
    owned = bytes_by_owner(s.session for _, r in sizes for s in r.files.sessions)
    if owned:
        shares = ", ".join(f"{escaped(o, limit=60)} ({size(n)})" for o, n in list(owned.items())[:20])
        st.caption(f"Checkpoints are owned and paid for by: {shares}")
    st.caption("A Drive's trash counts too: `batonpass doctor` says how much it holds, and only its owner empties it.")
