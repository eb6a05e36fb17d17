"""The runs that have no card of their own on the Morning page: one table with a search, however many they are. A ticked row gets its card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import streamlit as st

from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import ago, count, duration, plural

Stood: TypeAlias = tuple[RunStory, RunStanding]


def show_more_runs(page: Page, rest: Sequence[Stood]) -> list[Stood]:
    """One row each, in the order given; returns the runs whose rows are ticked."""
    st.subheader(f"{plural(len(rest), 'more run')}", anchor=False)
    wanted = st.text_input("Search", placeholder="name, tag, state or GPU", key="more-runs", max_chars=100) or ""
    found = [pair for pair in rest if _fits(pair, wanted.casefold().split())]
    if not found:
        st.caption(f"None of them fits “{escaped(wanted, limit=60)}”.")
        return []
    state = st.dataframe(
        [_row(page, run, standing) for run, standing in found],
        hide_index=True,
        height=420 if len(found) > 10 else "content",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"more-runs-table-{wanted}",
        alt=f"{plural(len(found), 'more run')}, the newest first",
    )
    ticked = [found[row] for row in state.selection.rows if row < len(found)]
    if not ticked:
        st.caption("Tick a row to see its card below.")
    return ticked


def _row(page: Page, run: RunStory, standing: RunStanding) -> dict[str, str]:
    newest, goal = standing.newest, run.goal_steps
    age = ago((page.as_of - newest.listing.published_at).total_seconds()) if newest is not None else ""
    return {
        "Run": plain(run.name, limit=60) or "(no name)",
        "State": standing.state.word.value,
        "Step": f"{count(standing.step)} of {count(goal)}" if goal else count(standing.step),
        "Last checkpoint": count(newest.step) + ("" if newest.proven else ", handed over") if newest else "none",
        "Saved": age,
        "Not saved": duration(standing.risk_s) if standing.risk_s >= 1 else "",
        "GPU": gpu_name(standing.session) if standing.session is not None else "",
    }


def _fits(pair: Stood, words: Sequence[str]) -> bool:
    run, standing = pair
    gpu = gpu_name(standing.session) if standing.session is not None else ""
    text = " ".join([run.name, *run.files.annotations.tags, standing.state.word.value, gpu]).casefold()
    return all(word in text for word in words)
