"""What stands round every page: the word "simulated" where it belongs, and that this app only looks where that is so."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import current_choice, leave_sample


def show_frame() -> None:
    """Above each page. The sample is called simulated on every one of them."""
    if is_read_only():
        with st.container(horizontal=True, vertical_alignment="center", key="read-only"):
            st.badge("Read only", icon=":material/visibility:", color="blue")
            st.caption("This app only looks: nothing is changed on the store, and nothing is remembered here.")
    if current_choice().simulated:
        with st.container(horizontal=True, vertical_alignment="center", key="simulated"):
            st.badge("Simulated", icon=":material/science:", color="violet")
            st.caption("Every run, session and number here is invented, to look around in.", width="content")
            st.button("Leave the sample", on_click=leave_sample, type="tertiary", icon=":material/logout:")
