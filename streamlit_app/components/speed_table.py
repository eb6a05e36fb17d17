"""Measured steps per second by GPU, compared only inside one run: two runs are two different works."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

import streamlit as st

from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.estimates.pace import speed
from batonpass.streamlit_app.overview import RunStory


def speeds_of_run(run: RunStory) -> list[tuple[str, float, int]]:
    """(GPU, median steps/s, sessions measured), slowest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for s in run.files.sessions:
        value = speed(s.session)
        if value is not None:
            found[gpu_name(s.session)].append(value)
    return sorted(((gpu, median(values), len(values)) for gpu, values in found.items()), key=lambda row: row[1])


def show_speeds(page: Page) -> None:
    """A table over all runs; the ratio is against the slowest card of the same run."""
    st.subheader("Measured speed", anchor=False)
    rows = []
    for run in page.overview.runs:
        speeds = speeds_of_run(run)
        for gpu, value, n in speeds:
            rows.append(
                {
                    "Run": plain(run.name, limit=40),
                    "GPU": gpu,
                    "Steps/s": f"{value:.3g}",
                    "Ratio": f"{value / speeds[0][1]:.2f} x" if len(speeds) > 1 else "",
                    "n": n,
                }
            )
    if not rows:
        st.caption("Nothing measured yet: a session has to train for some steps.")
        return
    st.dataframe(rows, hide_index=True, alt="Median steps per second by run and GPU")
    st.caption(
        "Median over n sessions. The ratio is against the slowest card of the same run: two runs do different work."
    )
