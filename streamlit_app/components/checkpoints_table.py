"""The checkpoints of a run with their state: durable, handed over, passed over."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.checkpoint_care import show_checkpoint_care
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import count, local, number, size

MOST_CHECKPOINTS = 500
DURABLE, HANDED_OVER = "✔ durable", "◐ handed over, not proven"
REMOVED = "✖ removed, or about to be"


def show_checkpoints(page: Page, run: RunStory, standing: RunStanding) -> None:
    """All that any session lists, newest first; the one that a resume would take is marked."""
    found = [(s.session, c) for s in run.files.sessions for c in s.session.checkpoints]
    if not found:
        st.caption("None yet. The first one comes a few minutes into the training, and this place fills itself.")
        return
    passed_over = {c.key: c.passed_over for c in standing.candidates if c.passed_over}
    arrived, deleted = run.files.arrived, run.files.deleted
    newest = standing.newest.key if standing.newest else None
    found.sort(key=lambda pair: (pair[1].published_at, pair[1].step), reverse=True)
    rows = [
        {
            "": "next" if c.key == newest else "",
            "Step": count(c.step),
            "State": REMOVED
            if c.key in deleted
            else f"✖ {plain(passed_over[c.key], limit=60)}"
            if c.key in passed_over
            else DURABLE
            if c.proven or c.key in arrived
            else HANDED_OVER,
            "Size": size(c.size_bytes),
            "Owner": plain(c.owner or "", limit=60),
            "Published": local(c.published_at, page.zone),
            "From": f"{gpu_name(s)}{' (branch)' if s.branch else ''}",
            "Missing": plain("; ".join(c.missing), limit=120),
            "Metrics then": ", ".join(f"{plain(k, limit=24)} {number(v)}" for k, v in list(c.metrics.items())[:4]),
        }
        for s, c in found[:MOST_CHECKPOINTS]
    ]
    if len(found) > MOST_CHECKPOINTS:
        st.caption(f"The newest {count(MOST_CHECKPOINTS)} of {count(len(found))} checkpoints.")
    st.dataframe(rows, hide_index=True, alt=f"{len(rows)} checkpoints of {plain(run.name, limit=60)}, newest first")
    show_checkpoint_care(page, run, found)
    st.caption(
        "Durable: the store's own answer, or another reader's receipt, equals the manifest, byte for byte. Handed over: written to a mounted Drive, "
        "arrival not proven; another computer than the writer's proves it, here or with `batonpass verify RUN --receipt`."
    )
