"""Which GPU a request got, by place: counts of your own log, with n."""

from __future__ import annotations

from collections import Counter, defaultdict

import streamlit as st

from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.page import Page


def show_odds(page: Page) -> None:
    """Shares only with the counts they rest on."""
    st.subheader("What you were given", anchor=False)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for run in page.overview.runs:
        for s in run.files.sessions:
            found[place(s.session)][gpu_name(s.session)] += 1
    rows = [
        {"Where": where, "GPU": gpu, "Got it": f"{n} of {counts.total()}", "Share": f"{n / counts.total():.0%}"}
        for where, counts in sorted(found.items())
        for gpu, n in counts.most_common()
    ]
    st.dataframe(rows, hide_index=True, alt="Which GPU the sessions got, by place")
    st.caption("Your log, not a promise: few sessions say little about the next one.")
