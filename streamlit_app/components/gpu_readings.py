"""The readings of one session: which one, its curves, their sum in words, and every reading as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.gpu.readings import MOST_GPUS, by_gpu
from batonpass.core.model import Session
from batonpass.streamlit_app.components.gpu_chart import drawn_curves, gpu_option
from batonpass.streamlit_app.components.gpu_words import summary_rows, summary_words, worth_a_look
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.wording import local, plural


def show_readings(page: Page, sessions: Sequence[Session], names: Mapping[str, str]) -> None:
    """`sessions` oldest first; `names` are the runs' names by id, plain text."""
    st.subheader("What the GPU was doing", anchor=False)
    known = {s.id: s for s in reversed(sessions) if s.gpu_samples}
    if not known:
        st.caption(
            "No readings yet. They come with the heartbeats of a session that has an NVIDIA GPU, about one a minute."
        )
        return
    chosen = st.selectbox(
        "Session",
        list(known),
        format_func=lambda i: session_label(page, known.get(i), names),
        key=f"readings-{hash(tuple(known))}",
    )
    session = known[chosen]
    if not drawn_curves(session):
        st.caption("The driver of this session answered, but reported nothing of what is drawn here.")
        return
    option, height = gpu_option(session, page.zone)
    said = summary_words(session)
    st.echarts_chart(option, height=height, alt=f"Readings of the {gpu_name(session)}: {said}", key="readings")
    st.markdown(escaped(f"{said[:1].upper()}{said[1:]}.", limit=1000))
    for sentence in worth_a_look(session):
        st.info(sentence, icon=":material/lightbulb:")
    st.dataframe(summary_rows(session), hide_index=True, alt=f"Mean and peak of each GPU: {said}")
    hidden = len({s.index for s in session.gpu_samples}) - MOST_GPUS
    more = f" {plural(hidden, 'further GPU')} not shown." if hidden > 0 else ""
    st.caption(
        f"{plural(len(session.gpu_samples), 'reading')}, each of one moment; older ones are thinned, and means weigh time. "
        f"Where a line breaks there was no reading.{more}"
    )
    with st.expander("Every reading as a table", icon=":material/table:"):
        st.dataframe(_rows(page, session), hide_index=True, alt=f"{plural(len(session.gpu_samples), 'reading')}")


def session_label(page: Page, session: Session | None, names: Mapping[str, str]) -> str:
    """A session in a select box; plain text."""
    if session is None:
        return "no longer there"
    run = names.get(session.run_id, "")
    return f"{local(session.started_at, page.zone)} · {gpu_name(session)} · {place(session)} · {run}"


def _rows(page: Page, session: Session) -> list[dict[str, object]]:
    curves = drawn_curves(session)
    readings = sorted((s for many in by_gpu(session.gpu_samples).values() for s in many), key=lambda s: (s.at, s.index))
    return [
        {"Time": f"{s.at.astimezone(page.zone):%d %b, %H:%M:%S}", "GPU": s.index}
        | {f"{c.name}, {c.unit}": None if (v := c.read(s)) is None else round(v, 2) for c in curves}
        for s in readings
    ]
