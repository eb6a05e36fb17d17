"""What a page says while its store cannot be read, and what to do: with the story read last, or without any."""

from __future__ import annotations

import streamlit as st

from batonpass.core.trouble import Kind
from batonpass.streamlit_app.components.drive_sign_in import show_sign_in_steps
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.problem import Problem
from batonpass.streamlit_app.wording import ago


def say_old_story(problem: Problem, age_s: float) -> None:
    """Above a story that could not be read again."""
    if problem.kind is Kind.NEEDS_LOGIN:
        head = "This computer is **not signed in** to Google Drive"
    else:
        head = "The store does not answer right now"
    st.warning(
        f"{head}, so this is the story as of **{ago(age_s)}**. It says nothing about your sessions. "
        f"({escaped(problem.message, limit=200)})",
        icon=":material/key_off:" if problem.kind is Kind.NEEDS_LOGIN else ":material/cloud_off:",
    )
    if problem.kind is Kind.NEEDS_LOGIN:
        with st.expander("How to sign in again", icon=":material/login:", expanded=True):
            _say_what_to_do(problem)


def say_no_story(problem: Problem, *, on_settings: bool) -> None:
    """In the place of a page that has nothing to show."""
    if problem.kind is Kind.NEEDS_LOGIN:
        st.error(
            f"This computer is **not signed in** to Google Drive ({escaped(problem.message, limit=300)}).",
            icon=":material/key_off:",
        )
    else:
        st.error(f"The store does not answer: {escaped(problem.message, limit=300)}", icon=":material/cloud_off:")
    _say_what_to_do(problem)
    if not on_settings:
        st.page_link("views/settings.py", label="Look at the settings", icon=":material/settings:")


def _say_what_to_do(problem: Problem) -> None:
    if problem.kind is not Kind.NEEDS_LOGIN:
        if problem.hint:
            st.markdown(f"What to do: {escaped(problem.hint, limit=300)}")
        return
    show_sign_in_steps()
    why = problem.hint.partition(". ")[2]
    if why:
        st.caption(escaped(f"Why that happens: {why}.", limit=400))
