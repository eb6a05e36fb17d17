"""The line in the place of what the store has not given yet; the page fills itself once it is there."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.fetching import StillReadingError

LOOK_EVERY_S = 1


@st.fragment(run_every=LOOK_EVERY_S)
def show_being_read(late: StillReadingError) -> None:
    """Says what is on its way, and runs the page again when it has come or has failed."""
    if late.is_over():
        st.rerun()
    message = late.message[:1].upper() + late.message[1:]
    st.markdown(f":material/hourglass_top: {escaped(message, limit=200)}. It comes by itself.")
