"""How much of the store the runs take, as the session files tell: no listing, so nothing that others put there is counted."""

from __future__ import annotations

import streamlit as st

from batonpass.core.owners import bytes_by_owner
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import plural, size
from batonpass.sync.room import Room


def run_size_bytes(run: RunStory) -> int:
    """Checkpoints and metric segments that the sessions of a run list, in bytes. Files shared by two checkpoints count twice."""
    sessions = [s.session for s in run.files.sessions]
    return sum(c.size_bytes for s in sessions for c in s.checkpoints) + sum(
        g.size_bytes for s in sessions for g in s.segments
    )


def show_space(page: Page) -> None:
    """A bar per run, largest first, and who owns the bytes where the store says so."""
    st.subheader("Space", anchor=False)
    _gauge(page.repository.condition.room)
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


def _gauge(room: Room | None) -> None:
    """All that is used where the store lies, whoever put it there; the store's own answer, looked up once a minute."""
    if room is None or room.total_bytes <= 0:
        st.caption("How much room is left in all is not known: the store does not say, or was not asked yet.")
        return
    used = max(0, room.total_bytes - room.free_bytes)
    whose = f" on the Drive of {escaped(room.owner, limit=80)}" if room.owner else ""
    words = f"{size(used)} of {size(room.total_bytes)} used{whose}, {size(room.free_bytes)} free"
    st.progress(min(1.0, used / room.total_bytes), text=words)
    if room.trash_bytes > 0:
        st.caption(
            f"{size(room.trash_bytes)} of that lie in the trash and count in full. Only the Drive's owner can empty it, at drive.google.com."
        )
