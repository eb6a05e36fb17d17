"""Machines: which GPU each session was given, when, and how fast it was for your own training."""

from __future__ import annotations

import streamlit as st

from batonpass.core.model import Session
from batonpass.core.usage import last_seen
from batonpass.streamlit_app.components.gpu_chart import gpu_option
from batonpass.streamlit_app.components.gpus import gpu_entry, gpu_name, place
from batonpass.streamlit_app.components.odds import show_odds
from batonpass.streamlit_app.components.page import Page, open_page, say_broken
from batonpass.streamlit_app.components.speed_table import show_speeds
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.components.timeline_chart import timeline_height, timeline_option
from batonpass.streamlit_app.wording import local, number, plural

MOST_SESSIONS = 200


def show() -> None:
    """The page."""
    page = open_page("Machines")
    if page is None:
        return
    sessions = sorted((s.session for r in page.overview.runs for s in r.files.sessions), key=lambda s: s.started_at)
    if not sessions:
        st.markdown("No session yet. Each one will stand here with its GPU, its speed and its readings.")
        st.page_link("views/morning.py", label="To the first steps", icon=":material/wb_twilight:")
        return
    _timeline(page, sessions[-MOST_SESSIONS:])
    left, right = st.columns(2, gap="large")
    with left:
        show_speeds(page)
    with right:
        show_odds(page)
    _readings(page, sessions)
    _catalogue(sessions)
    say_broken(b for r in page.overview.runs for b in r.files.broken)


def _timeline(page: Page, sessions: list[Session]) -> None:
    st.subheader("Timeline", anchor=False)
    ends = {s.id: last_seen(s) for s in sessions}
    st.echarts_chart(
        timeline_option(sessions, ends, page.zone),
        height=timeline_height(sessions),
        alt=f"{plural(len(sessions), 'session')} between {local(sessions[0].started_at, page.zone)} and "
        f"{local(max(ends.values()), page.zone)}, one line per place, coloured by GPU",
        key="timeline",
    )
    with st.expander("The same as a table", icon=":material/table:"):
        rows = [
            {
                "GPU": gpu_name(s),
                "Where": place(s),
                "Began": local(s.started_at, page.zone),
                "Last sign of life": local(ends[s.id], page.zone),
                "Memory, GiB": number(s.gpus[0].memory_bytes / 2**30) if s.gpus else "",
                "Driver": plain(s.gpus[0].driver or "", limit=30) if s.gpus else "",
            }
            for s in reversed(sessions)
        ]
        st.dataframe(rows, hide_index=True, alt=f"{plural(len(rows), 'session')} with GPU, place and times")


def _readings(page: Page, sessions: list[Session]) -> None:
    st.subheader("Readings of one session", anchor=False)
    known = {s.id: s for s in reversed(sessions) if s.gpu_samples}
    if not known:
        st.caption("No GPU readings yet: they come with the heartbeats of a session that has a GPU.")
        return
    names = {r.files.info.run_id: plain(r.name, limit=40) for r in page.overview.runs}
    chosen = st.selectbox(
        "Session",
        list(known),
        format_func=lambda i: (
            f"{local(known[i].started_at, page.zone)} · {gpu_name(known[i])} · {place(known[i])} · {names.get(known[i].run_id, '')}"
            if i in known
            else plain(i)
        ),
        key=f"readings-{hash(tuple(known))}",
    )
    session = known[chosen]
    option, height = gpu_option(session, page.zone)
    busy = [s.utilisation_percent for s in session.gpu_samples if s.utilisation_percent is not None]
    mean = f", busy {sum(busy) / len(busy):.0f} % of the time on average" if busy else ""
    st.echarts_chart(option, height=height, alt=f"Readings of the {gpu_name(session)}{mean}", key="readings")
    st.caption(f"{plural(len(session.gpu_samples), 'reading')}{mean}.")


def _catalogue(sessions: list[Session]) -> None:
    st.subheader("What the makers say", anchor=False)
    entries = {e.name: e for s in sessions if (e := gpu_entry(s)) is not None}
    if not entries:
        st.caption("None of your GPUs is in the catalogue.")
        return
    rows = [
        {
            "GPU": e.name,
            "Year": str(e.year),
            "Memory, GiB": f"{e.memory_gib:g}",
            "Bandwidth, GB/s": _figure(e.bandwidth_gbs),
            "fp32, TFLOP/s": _figure(e.fp32_tflops),
            "half on tensor cores, TFLOP/s": _figure(e.fp16_tensor_tflops),
            "bf16": "native" if e.native_bf16 else "emulated, slow",
        }
        for e in sorted(entries.values(), key=lambda e: e.year)
    ]
    st.dataframe(rows, hide_index=True, alt=f"Catalogue facts of {', '.join(entries)}")
    st.caption("Peaks without sparsity, as published; your own steps per second above are what counts.")


def _figure(value: float | None) -> str:
    return "none known" if value is None else f"{value:g}"


if __name__ == "__main__":
    show()
