"""The first day's checklist with the button that its second line speaks of."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.agent_button import show_agent_button
from batonpass.streamlit_app.components.checklist import first_day_of, show_checklist
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.repository import Repository


def show_first_day(repository: Repository | None, page: Page | None) -> None:
    """`page` is None where the store has never answered, or there is none: then there is nothing to put anywhere."""
    show_checklist(first_day_of(repository))
    st.caption("These lines tick themselves.")
    if page is not None and not page.repository.agent_there():
        show_agent_button(page)
