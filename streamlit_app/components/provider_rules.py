"""What each provider says about accounts and limits, in one sentence, dated, with where to read it."""

from __future__ import annotations

import streamlit as st

from batonpass.core.providers import provider_of
from batonpass.streamlit_app.components.text import escaped

READ_IN = "November 2026"
_RULES = {
    "colab": (
        "Colab does not allow several accounts to get past its limits, on free and paid machines alike. Limits float and are not published.",
        "https://research.google.com/colaboratory/faq.html",
    ),
    "kaggle": (
        "Kaggle allows one account per person. Its weekly GPU hours run while the accelerator is on, not only while it computes.",
        "https://www.kaggle.com/docs/notebooks",
    ),
}


def show_rule(provider_id: str) -> None:
    """The rule, as read; a provider that we know no rule of has its own page to look at."""
    name = escaped(provider_of(provider_id).name, limit=40)
    if provider_id in _RULES:
        text, url = _RULES[provider_id]
        st.caption(f":material/balance: **{name}:** {text} As read in {READ_IN}; [its own words]({url}) count.")
    elif provider_id != "other":
        st.caption(f":material/balance: **{name}:** read its terms; none are summed up here.")
