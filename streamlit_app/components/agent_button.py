"""The button that puts the agent's wheel (Batonpass for notebooks) on the store, so that a cell can install it from there."""

from __future__ import annotations

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped


def show_agent_button(page: Page) -> None:
    """Puts the wheel there when pressed, and says what came of it. Not offered where nothing may be written."""
    if is_read_only():
        return
    if st.button("Put Batonpass for notebooks there", icon=":material/upload:", type="primary", key="agent"):
        try:
            page.repository.put_agent()
        except BatonpassError as error:
            st.error(f"Not done: {escaped(error.message, limit=300)}  \nWhat to do: {escaped(error.hint, limit=300)}")
        else:
            st.rerun()
