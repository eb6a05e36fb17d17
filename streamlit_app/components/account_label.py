"""The label of the place a cell will run at: one of those used before, a new one, or none."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain


def choose_label(page: Page, *, key: str) -> str:
    """What goes into the cell's `account=`; empty where nothing was chosen."""
    labels = sorted(
        {plain(a.account.label, limit=60) for a in page.overview.accounts}
        | {plain(s.session.account, limit=60) for r in page.overview.runs for s in r.files.sessions}
    )
    chosen = st.selectbox(
        "Label of the place it will run at",
        [label for label in labels if label],
        index=None,
        accept_new_options=True,
        placeholder="Your own word for it; may stay empty",
        help="The word that the Accounts page counts hours and GPUs by: one for each account or machine you train on. It is no sign-in.",
        key=key,
    )
    return chosen or ""
