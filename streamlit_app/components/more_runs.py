"""The runs that have no card of their own on the Morning page: a table, and a way to each of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.run_choice import run_labels
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import ago, count, duration, plural


def show_more_runs(page: Page, rest: Sequence[tuple[RunStory, RunStanding]]) -> None:
    """One row each, in the same order as the cards, and a box to go to one."""
    st.subheader(f"{plural(len(rest), 'more run')}", anchor=False)
    labels = run_labels(page.overview)
    ids = [run.files.info.run_id for run, _ in rest]
    chosen = st.selectbox(
        "Go to a run",
        ids,
        index=None,
        format_func=lambda i: labels.get(i, plain(i)),
        placeholder="Type a part of its name",
        key="more-runs",
    )
    if chosen is not None:
        st.session_state["run"] = chosen
        st.switch_page("views/run.py", query_params={"run": chosen})
    rows = [_row(page, run, standing) for run, standing in rest]
    st.dataframe(rows, hide_index=True, height=420, alt=f"{plural(len(rows), 'more run')}, what wants attention first")


def _row(page: Page, run: RunStory, standing: RunStanding) -> dict[str, str]:
    newest, goal = standing.newest, run.goal_steps
    age = ago((page.as_of - newest.listing.published_at).total_seconds()) if newest is not None else ""
    return {
        "Run": plain(run.name, limit=60),
        "State": standing.state.word.value,
        "Step": f"{count(standing.step)} of {count(goal)}" if goal else count(standing.step),
        "Last checkpoint": count(newest.step) + ("" if newest.proven else ", handed over") if newest else "none",
        "Saved": age,
        "Not saved": duration(standing.risk_s) if standing.risk_s >= 1 else "",
        "GPU": gpu_name(standing.session) if standing.session is not None else "",
    }
