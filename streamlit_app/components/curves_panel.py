"""The curves with their controls, what is said about them, the same numbers as a table, and the CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from batonpass.core.model import Session
from batonpass.streamlit_app.components.being_read import show_being_read
from batonpass.streamlit_app.components.config_table import show_config_diff
from batonpass.streamlit_app.components.curves_chart import curves_option
from batonpass.streamlit_app.components.curves_controls import (
    URL,
    choose_beside,
    choose_look,
    choose_metrics,
    find_metrics,
    needs_refining,
    refine_look,
    set_range,
    show_all,
)
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.components.curves_table import count_rows, long_table, to_csv
from batonpass.streamlit_app.components.curves_words import alt_text, in_range, under_chart
from batonpass.streamlit_app.components.page import Page, say_broken
from batonpass.streamlit_app.components.resume_verdict import compare_resumes, judge_resumes
from batonpass.streamlit_app.components.run_choice import run_labels
from batonpass.streamlit_app.components.text import escaped, file_name, plain
from batonpass.streamlit_app.curves import Axis, RunCurves
from batonpass.streamlit_app.fetching import StillReadingError
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count

TABLE_ROWS = 5000


@st.fragment
def show_curves(page: Page, run: RunStory) -> None:
    """Everything logged, as one line per metric over all sessions that count. A fragment: a control redraws the curves, not the page."""
    try:
        track = _track(page, run)
    except StillReadingError as late:
        show_being_read(late)
        return
    if not track.curves.series:
        st.markdown("No metric has been logged yet: `run.log(loss=loss)` in the loop fills this place within a minute.")
        say_broken(track.curves.broken)
        return
    labels = run_labels(page.overview)
    labels.pop(run.files.info.run_id, None)
    place_for_metrics = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place_for_look = st.container(horizontal=True, vertical_alignment="bottom", gap="medium", width="content")
        as_table = st.segmented_control(
            "Show as",
            ["Curves", "Table"],
            default="Curves",
            required=True,
            key="as",
            label_visibility="collapsed",
            bind=URL,
        )
        place_for_csv = st.container(width="content")
    view = st.expander("Find, range and compare", icon=":material/tune:", key="view", on_change="rerun")
    is_used = needs_refining(is_open=bool(view.open))
    with view:
        place_for_view = st.container()
        beside = choose_beside(labels) if is_used else []
        others = _beside(page, beside, labels)
    tracks = [track, *others]
    names = _names(tracks)
    with place_for_metrics:
        metrics = choose_metrics(names)
    with place_for_look:
        look = choose_look(metrics)
    if is_used:
        with place_for_view:
            find_metrics(names)
            look = refine_look(look, page.zone)
    with place_for_csv:
        _csv_button(run, tracks, look)
    _say_range(look, page)
    if metrics and as_table == "Table":
        _table(tracks, look)
    elif metrics:
        _chart(page, tracks, look)
    else:
        st.caption("No metric is chosen.")
    _verdict(track.curves, track.sessions)
    if beside:
        with st.expander("Settings that differ", icon=":material/difference:"):
            runs = [(track.name, run), *((labels[i], r) for i in beside if (r := page.overview.run(i)))]
            show_config_diff([(name, each.files.info.config) for name, each in runs])
    for each in tracks:
        say_broken(each.curves.broken)


def _track(page: Page, run: RunStory, name: str | None = None) -> Track:
    """StillReadingError while its segments are still being read."""
    sessions = {s.session.id: s.session for s in run.files.sessions}
    return Track(name or plain(run.name, limit=40) or "(no name)", page.repository.curves(run), sessions)


def _beside(page: Page, chosen: Sequence[str], labels: Mapping[str, str]) -> list[Track]:
    """The curves to lay beside; those that are still on their way are said in their place."""
    tracks = []
    for run_id in chosen:
        run = page.overview.run(run_id)
        try:
            tracks += [_track(page, run, labels[run_id])] if run is not None else []
        except StillReadingError as late:
            show_being_read(late)
            break
    return tracks


def _names(tracks: Sequence[Track]) -> list[str]:
    """Every metric: those of the page's run first, the ones with most values in front."""
    own = tracks[0].curves.series
    names = sorted(own, key=lambda n: (-len(own[n]), n))
    return names + sorted({n for t in tracks[1:] for n in t.curves.series} - set(names))


def _say_range(look: Look, page: Page) -> None:
    if look.low is None and look.high is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if look.span is None:
            st.caption("That range is empty, so all is shown.", width="content")
        else:
            low = "the beginning" if look.low is None else in_range(look.low, look.axis, page.zone)
            high = in_range(look.high, look.axis, page.zone)
            st.caption(f"From {escaped(low)} to {escaped(high)}", width="content")
        st.button("Show all", on_click=show_all, type="tertiary", icon=":material/zoom_out_map:", key="show-all")


def _chart(page: Page, tracks: Sequence[Track], look: Look) -> None:
    option, height = curves_option(tracks, look, page.zone)
    key = f"curves-{st.session_state.get('zooms', 0)}"
    st.echarts_chart(
        option, height=height, alt=alt_text(tracks, look), key=key, on_select=lambda: _zoom(key, look.axis, page)
    )
    said = under_chart(tracks, look, page.zone)
    how = "To look closer, press the brush at the top right and drag over the curves, or type a range below *Find, range and compare*."
    st.caption(f"{said} {how}")


def _zoom(key: str, axis: Axis, page: Page) -> None:
    """What was brushed becomes the range. The chart is then drawn from all rows between, as a new one: without the brushed area."""
    for area in st.session_state[key].selection.areas:
        ends = area.get("coord_range")
        if area.get("brush_type") == "lineX" and isinstance(ends, list) and len(ends) == 2:
            low, high = sorted(float(end) for end in ends)
            unit = 1000.0 if axis is Axis.CLOCK else 1.0
            if low < high:
                set_range(low / unit, high / unit, axis, page.zone)
                st.session_state["zooms"] = st.session_state.get("zooms", 0) + 1
            return


def _table(tracks: Sequence[Track], look: Look) -> None:
    shown = long_table(tracks, look.metrics, look, newest=TABLE_ROWS)
    rows = count_rows(tracks, look.metrics, look)
    if len(shown) < rows:
        st.caption(f"The newest {count(len(shown))} of {count(rows)} rows; the CSV has all.")
    st.dataframe(shown, hide_index=True, height=420, alt=f"The metrics of {tracks[0].name}, one value per row")


def _csv_button(run: RunStory, tracks: Sequence[Track], look: Look) -> None:
    names = tuple(dict.fromkeys(n for t in tracks for n in t.curves.series))
    st.download_button(
        "CSV",
        lambda: to_csv(long_table(tracks, names, look)),
        file_name=file_name(run.files.info.slug, "-metrics.csv"),
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
        help="Every metric, all rows of the range, with session and GPU. The picture: Download as PNG, at the chart's top right corner.",
    )


def _verdict(curves: RunCurves, sessions: Mapping[str, Session]) -> None:
    """Compared once for each state of the curves."""
    kept = st.session_state.get("resume-checks")
    if kept is None or kept[0] is not curves:
        kept = st.session_state["resume-checks"] = (curves, compare_resumes(curves))
    verdict = judge_resumes(kept[1], sessions)
    if verdict is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(verdict.title, icon=verdict.icon, color=verdict.color)  # type: ignore[arg-type]
            st.caption(" ".join(verdict.sentences))
