"""What stands round every page: the word "simulated" where it belongs."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.choice import current_choice, leave_sample


def show_frame() -> None:
    """Above each page. The sample is called simulated on every one of them."""
    if current_choice().simulated:
        with st.container(horizontal=True, vertical_alignment="center", key="simulated"):
            st.badge("Simulated", icon=":material/science:", color="violet")
            st.caption("Every run, session and number here is invented, to look around in.", width="content")
            st.button("Leave the sample", on_click=leave_sample, type="tertiary", icon=":material/logout:")
