"""Choosing a run: one select box, kept in the page's address so that a link leads to the same run."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import Overview, RunStory


def choose_run(overview: Overview) -> RunStory | None:
    """The run of this page; None when there is none (it has been said). Archived runs stand last."""
    runs = sorted(overview.runs, key=lambda r: r.files.annotations.archived)
    if not runs:
        st.markdown("No run is on this store yet. The Morning page shows how the first one begins.")
        st.page_link("views/morning.py", label="To the first steps", icon=":material/wb_twilight:")
        return None
    ids = [r.files.info.run_id for r in runs]
    labels = _labels(runs)
    wanted = st.query_params.get("run") or st.session_state.get("run")
    chosen = st.selectbox(
        "Run",
        ids,
        index=ids.index(wanted) if wanted in ids else 0,
        format_func=lambda run_id: labels.get(run_id, run_id),
        key=f"run-of-{hash(tuple(ids))}",
        label_visibility="collapsed",
    )
    st.session_state["run"] = chosen
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    return overview.run(chosen)


def run_labels(overview: Overview) -> dict[str, str]:
    """Run id -> what to call the run, as plain text, for every run there is."""
    return _labels(sorted(overview.runs, key=lambda r: r.files.annotations.archived))


def _labels(runs: list[RunStory]) -> dict[str, str]:
    """Names, told apart by the id where two runs share one."""
    names = {r.files.info.run_id: plain(r.name, limit=60) or "(no name)" for r in runs}
    shared = Counter(names.values())
    archived = {r.files.info.run_id for r in runs if r.files.annotations.archived}
    return {
        run_id: name + (f" ({run_id})" if shared[name] > 1 else "") + (" · archived" if run_id in archived else "")
        for run_id, name in names.items()
    }
