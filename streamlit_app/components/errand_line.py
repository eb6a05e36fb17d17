"""An errand on a page: its progress while it runs, what came of it afterwards."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st

from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.errands import Errand, Errands
from batonpass.streamlit_app.wording import size

LOOK_EVERY_S = 1.0


@st.cache_resource(show_spinner=False)
def all_errands() -> Errands:
    """One for all tabs."""
    return Errands()


def show_errand(key: Hashable) -> Errand | None:
    """Draw the errand of this key, if there is one; returns it."""
    errand = all_errands().get(key)
    if errand is None:
        return None
    if not errand.finished.is_set():
        _watch(errand)
    elif errand.problem:
        st.warning(escaped(errand.problem, limit=400), icon=":material/info:")
    else:
        text = "  \n".join(escaped(sentence, limit=300) for sentence in errand.outcome)
        if errand.whole:
            st.success(text, icon=":material/verified:")
        else:
            st.warning(text, icon=":material/healing:")
    return errand


@st.fragment(run_every=LOOK_EVERY_S)
def _watch(errand: Errand) -> None:
    if errand.finished.is_set():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        through = f"{size(errand.done_bytes)} of {size(errand.total_bytes)}" if errand.total_bytes else ""
        st.progress(errand.share, text=f"{escaped(errand.says, limit=80)} {through}")
        st.button("Stop", on_click=errand.stop, type="tertiary", icon=":material/stop_circle:", key="stop-errand")
