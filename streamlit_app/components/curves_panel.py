"""The curves with their controls, the same numbers as a table, and the CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import streamlit as st

from batonpass.core.lineage import Role
from batonpass.core.metrics.resume_check import ResumeCheck, check_resumes
from batonpass.streamlit_app.components.curves_chart import Look, curves_option
from batonpass.streamlit_app.components.gpus import gpu_name
from batonpass.streamlit_app.components.page import Page, say_broken
from batonpass.streamlit_app.components.text import escaped, file_name, plain
from batonpass.streamlit_app.curves import Axis, RunCurves, count_not_finite
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, number, plural

FIRST_METRICS = 2
MOST_METRICS = 6
TABLE_ROWS = 5000


def show_curves(page: Page, run: RunStory) -> None:
    """Everything logged, as one line per metric over all sessions that count."""
    curves = page.repository.curves(run)
    if not curves.series:
        st.markdown("No metric has been logged yet: `run.log(loss=loss)` in the loop fills this place within a minute.")
        say_broken(curves.broken)
        return
    look = _controls(run, curves)
    if look.metrics:
        as_table = st.segmented_control(
            "Show as", ["Curves", "Table"], default="Curves", required=True, key="as", label_visibility="collapsed"
        )
        if as_table == "Table":
            _table(run, curves, look)
        else:
            _chart(page, run, curves, look)
    say_broken(curves.broken)


def _controls(run: RunStory, curves: RunCurves) -> Look:
    names = sorted(curves.series, key=lambda n: (-len(curves.series[n]), n))
    first = [n for n in names if "loss" in n.lower()][:FIRST_METRICS] or names[:1]
    key = run.files.info.run_id
    chosen = st.pills(
        "Metrics",
        names[:60],
        default=first,
        selection_mode="multi",
        format_func=lambda n: escaped(n, limit=40),
        key=f"metrics-{key}",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        axis = st.selectbox("Over", list(Axis), format_func=lambda a: a.value, key="axis", width=190)
        weight = st.slider("Smoothing", 0.0, 0.99, 0.6, 0.01, key="weight", width=190)
        log = st.toggle("Log axis", key="log")
        ghosts = st.toggle(
            "Steps run again",
            value=True,
            key="ghosts",
            help="Faded, dashed lines: steps that a later session ran again after a resume, and branches.",
        )
    return Look(tuple(chosen[:MOST_METRICS]), axis or Axis.STEP, weight, log, ghosts)


def _chart(page: Page, run: RunStory, curves: RunCurves, look: Look) -> None:
    option, height = curves_option(curves, [s.session for s in run.files.sessions], look, page.zone)
    st.echarts_chart(option, height=height, alt=_alt(run, curves, look), key="curves")
    words = []
    ghosts = sum(len(curves.series[m].ghosts) for m in look.metrics)
    if ghosts and look.ghosts:
        words.append(f"Faded and dashed: {plural(ghosts, 'value')} of steps that were run again, or of a branch.")
        checks = check_resumes(curves.legs, {m: curves.series[m] for m in look.metrics})
        words += [repeated(found) for m in look.metrics if (found := [c for c in checks if c.metric == m])]
    for metric in look.metrics:
        bad = count_not_finite(curves.series[metric])
        if bad:
            words.append(f"{escaped(metric, limit=40)} has {plural(bad, 'value')} that are not numbers, drawn as gaps.")
    words.append("Hold Ctrl and scroll to zoom.")
    st.caption(" ".join(words))


def repeated(checks: Sequence[ResumeCheck]) -> str:
    """What came out where one metric's steps were run again, over all resumes."""
    name, steps = escaped(checks[0].metric, limit=40), plural(sum(c.compared for c in checks), "step")
    bad = [c for c in checks if c.first_step is not None]
    if not bad:
        return f"{name}: {steps} run again, bit for bit the same."
    one = min(bad, key=lambda c: c.first_step or 0)
    first = f"first at step {count(one.first_step or 0)}, {one.before:.6g} then and {one.after:.6g} now"
    return f"{name}: {steps} run again, {count(sum(c.different for c in bad))} of them with another value ({first})."


def _alt(run: RunStory, curves: RunCurves, look: Look) -> str:
    parts = []
    for metric in look.metrics:
        values = curves.series[metric].live.value
        finite = values[np.isfinite(values)]
        if len(finite):
            parts.append(f"{plain(metric, limit=40)} from {number(float(finite[0]))} to {number(float(finite[-1]))}")
    trunk = sum(1 for leg in curves.legs if leg.role is Role.TRUNK)
    return f"{plain(run.name, limit=60)} over {plural(trunk, 'session')}: {', '.join(parts) or 'no finite value'}"


def _table(run: RunStory, curves: RunCurves, look: Look) -> None:
    frame = long_table(run, curves, look.metrics)
    shown = frame.tail(TABLE_ROWS)
    if len(shown) < len(frame):
        st.caption(f"The newest {count(len(shown))} of {count(len(frame))} rows; the CSV has all.")
    st.dataframe(
        shown, hide_index=True, height=420, alt=f"The metrics of {plain(run.name, limit=60)}, one value per row"
    )
    st.download_button(
        "Download as CSV",
        lambda: _csv(long_table(run, curves, tuple(curves.series))),
        file_name=file_name(run.files.info.slug, "-metrics.csv"),
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def long_table(run: RunStory, curves: RunCurves, metrics: tuple[str, ...]) -> pd.DataFrame:
    """One value per row, ordered by time, with the session and GPU that logged it and whether it counts."""
    sessions = {s.session.id: s.session for s in run.files.sessions}
    who = [sessions.get(leg.session) for leg in curves.legs]
    frames = []
    for metric in metrics:
        series = curves.series[metric]
        frames.append(
            pd.DataFrame(
                {
                    "metric": plain(metric, limit=80),
                    "step": series.step,
                    "epoch": series.epoch,
                    "value": series.value,
                    "counts": ~series.superseded,
                    "session": [curves.legs[i].session for i in series.session],
                    "GPU": [gpu_name(s) if (s := who[i]) else "" for i in series.session],
                    "time (UTC)": [_moment(t) for t in series.time],
                }
            )
        )
    return pd.concat(frames).sort_values(["time (UTC)", "metric"], kind="stable") if frames else pd.DataFrame()


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _csv(frame: pd.DataFrame) -> bytes:
    """A cell that a spreadsheet would run as a formula is quoted with an apostrophe."""
    safe = frame.copy()
    safe["metric"] = [f"'{m}" if m[:1] in "=+-@" else m for m in safe["metric"]]
    return bytes(safe.to_csv(index=False).encode())
