"""Morning: what happened while you were away, every run at a glance, and one click to go on."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import current_choice
from batonpass.streamlit_app.components.empty import show_empty
from batonpass.streamlit_app.components.more_runs import show_more_runs
from batonpass.streamlit_app.components.page import Page, open_page, say_broken
from batonpass.streamlit_app.components.pet import pose_of, show_pet
from batonpass.streamlit_app.components.run_card import show_run_card
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.preferences import Visit, load_preferences, save_preferences
from batonpass.streamlit_app.standing import RunStanding, read_standing
from batonpass.streamlit_app.wording import plural

CARDS = 9  # what wants attention comes first; the others stand in a table


def show() -> None:
    """The page."""
    page = open_page("Morning")
    if page is None or not page.overview.runs:
        show_empty(page)
        return
    archived = sum(1 for r in page.overview.runs if r.files.annotations.archived)
    shown = [
        (r, read_standing(r, page.as_of, mount=page.mount))
        for r in page.overview.runs
        if not r.files.annotations.archived
    ]
    shown.sort(key=lambda pair: (pair[1].order, -_latest_beat(pair[0])))
    _greet(shown, archived=archived)
    visit = _visit(page)
    with st.grid(3, min_column_width=300, gap="medium"):
        for run, standing in shown[:CARDS]:
            show_run_card(page, run, standing, visit)
    if len(shown) > CARDS:
        show_more_runs(page, shown[CARDS:])
    say_broken([*page.overview.broken, *(b for r in page.overview.runs for b in r.files.broken)])


def _latest_beat(run: RunStory) -> float:
    return max((s.info.modified.timestamp() for s in run.files.sessions), default=0.0)


def _greet(shown: list[tuple[RunStory, RunStanding]], *, archived: int) -> None:
    """The pet and one sentence over all runs."""
    live = [s for _, s in shown if s.is_live]
    needing = [s for _, s in shown if s.wants_you]
    finished = [s for _, s in shown if s.is_finished]
    parts = [
        f"**{plural(len(live), 'run')} live**" if live else "Nothing is live",
        f"{plural(len(needing), 'run')} waiting to go on" if needing else "",
        f"{plural(len(finished), 'run')} finished" if finished else "",
        f"{archived} archived" if archived else "",
    ]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        show_pet(pose_of(s for _, s in shown))
        st.markdown(" · ".join(p for p in parts if p), width="content")


def _visit(page: Page) -> Visit | None:
    """When this store was looked at before; remembers that it is looked at now. None where nothing is remembered."""
    choice = current_choice()
    if choice.simulated or choice.url is None or is_read_only():
        return None
    preferences = load_preferences()
    steps = {
        r.files.info.run_id: max((s.session.step for s in r.files.sessions), default=0) for r in page.overview.runs
    }
    before = preferences.visits.get(choice.url)
    visit = before.next(page.as_of, steps) if before else Visit(seen_at=page.as_of, steps=steps)
    if visit != before:
        try:
            save_preferences(replace(preferences, visits={**preferences.visits, choice.url: visit}))
        except OSError:
            st.caption("This visit could not be remembered on this computer.")
    return visit


if __name__ == "__main__":
    show()
