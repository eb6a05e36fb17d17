"""Morning: what happened while you were away, every run at a glance, and one click to go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.alert_settings import load_alert_settings
from batonpass.streamlit_app.alerts import Alert, alerts
from batonpass.streamlit_app.choice import current_choice
from batonpass.streamlit_app.components.checklist import first_day_of
from batonpass.streamlit_app.components.empty import show_empty
from batonpass.streamlit_app.components.first_day import show_first_day
from batonpass.streamlit_app.components.more_runs import Stood, show_more_runs
from batonpass.streamlit_app.components.page import OLD_S, Page, open_page, say_broken
from batonpass.streamlit_app.components.pet import pose_now, show_pet
from batonpass.streamlit_app.components.run_card import show_run_card
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.preferences import Visit, load_preferences, save_preferences
from batonpass.streamlit_app.standing import read_standing
from batonpass.streamlit_app.wording import ago, plural

FEW = 9  # so many runs all have a card of their own
CARDS = 5  # of more, those that moved last have one; the others stand in a table


def show() -> None:
    """The page."""
    page = open_page("Morning")
    if page is None or not page.overview.runs:
        show_empty(page)
        return
    open_runs = [r for r in page.overview.runs if not r.files.annotations.archived]
    shown = [(r, read_standing(r, page.as_of, mount=page.mount)) for r in open_runs]
    risk_s = load_alert_settings().risk_s
    found = {r.files.folder: alerts(r, s, page.as_of, page.repository.condition, risk_s=risk_s) for r, s in shown}
    _say_age(page)
    _greet(page, shown, found, archived=len(page.overview.runs) - len(shown))
    visit = _visit(page)
    first, others = _split(shown)
    _cards(page, first, visit, found)
    if len(page.overview.runs) == 1:
        _first_day(page)
    if others:
        _cards(page, show_more_runs(page, others)[:CARDS], visit, found)
    say_broken([*page.overview.broken, *(b for r in page.overview.runs for b in r.files.broken)])


def _split(shown: list[Stood]) -> tuple[list[Stood], list[Stood]]:
    """Runs with a card, what wants attention first; and the others, newest first."""
    newest = sorted(shown, key=lambda pair: _moved(pair[0]), reverse=True)
    cards = len(shown) if len(shown) <= FEW else CARDS
    return sorted(newest[:cards], key=lambda pair: pair[1].order), newest[cards:]


def _moved(run: RunStory) -> datetime:
    """When something was last heard of it."""
    return max((s.heard_at for s in run.files.sessions), default=run.files.info.created_at)


def _cards(page: Page, runs: list[Stood], visit: Visit | None, found: dict[str, tuple[Alert, ...]]) -> None:
    if runs:
        with st.grid(3, min_column_width=300, gap="medium"):
            for run, standing in runs:
                show_run_card(page, run, standing, visit, found.get(run.files.folder, ()))


def _first_day(page: Page) -> None:
    """The checklist of the first page, until the first checkpoint is durable."""
    if not first_day_of(page.repository)[-1].done:
        with st.expander("First day", icon=":material/checklist:", expanded=True):
            show_first_day(page.repository, page)


def _say_age(page: Page) -> None:
    """What was kept from the last time is shown at once; that it is old is said, unless the store's silence has been said already."""
    if page.age_s > OLD_S and page.repository.view().problem is None:
        st.info(f"As it stood **{ago(page.age_s)}**. It is being read again now.", icon=":material/history:")


def _greet(page: Page, shown: list[Stood], found: dict[str, tuple[Alert, ...]], *, archived: int) -> None:
    """The pet and one sentence over all runs."""
    live = [s for _, s in shown if s.is_live and not s.is_quiet]
    quiet = [s for _, s in shown if s.is_quiet]
    needing = [s for _, s in shown if s.wants_you]
    finished = [s for _, s in shown if s.is_finished]
    matters = sum(len(each) for each in found.values())
    parts = [
        f"**{plural(len(live), 'run')} live**" if live else "" if quiet else "Nothing is live",
        f"**{plural(len(quiet), 'run')} quiet**" if quiet else "",
        f"{plural(len(needing), 'run')} waiting to go on" if needing else "",
        f"{plural(len(finished), 'run')} finished" if finished else "",
        f":material/notification_important: {plural(matters, 'alert')}" if matters else "",
        f"{archived:,} archived" if archived else "",
    ]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        standings = {r.files.info.run_id: s for r, s in shown}
        show_pet(pose_now(page.repository.url, page.overview.fingerprint, standings))
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
