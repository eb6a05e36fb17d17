"""How much of the store the runs take, as the session files tell: no listing, so nothing that others put there is counted."""

from __future__ import annotations

from collections import defaultdict

import streamlit as st

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


def owners(run: RunStory) -> dict[str, int]:
    """Bytes of checkpoints by the owner that the store names; those it names none for are left out."""
    found: dict[str, int] = defaultdict(int)
    for s in run.files.sessions:
        for c in s.session.checkpoints:
            if c.owner:
                found[c.owner] += c.size_bytes
    return dict(found)


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
    every = [owners(r) for _, r in sizes]
    if any(every):
        totals: dict[str, int] = defaultdict(int)
        for found in every:
            for owner, n in found.items():
                totals[owner] += n
        st.caption("Owned by: " + ", ".join(f"{escaped(o, limit=60)} ({size(n)})" for o, n in totals.items()))
    st.caption("What the Drive's trash holds is not known here yet; see Drive's own storage page.")
