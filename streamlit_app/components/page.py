"""What every page begins with: its title, how old its data is, and the calm line when the store cannot be reached."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.streamlit_app.choice import current_choice, repository_of
from batonpass.streamlit_app.components.pet import pose_now, show_pet
from batonpass.streamlit_app.components.store_trouble import say_no_story, say_old_story
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import Overview
from batonpass.streamlit_app.repository import Repository, View
from batonpass.streamlit_app.sight import sight
from batonpass.streamlit_app.standing import read_standing
from batonpass.streamlit_app.wording import ago, plural

PULSE_S = 15
READING_S = 1
OLD_S = 120.0
"""From this age on the Morning page says in a sentence that its numbers are old."""
MORNING = "Morning"
"""The page that has the pet in large, and says in words beside it what it stands for."""
SETTINGS = "Settings"
"""The page where a store is chosen, to which it leads no link."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page works with."""

    repository: Repository
    overview: Overview
    age_s: float
    zone: tzinfo

    @property
    def as_of(self) -> datetime:
        """The store's clock when the data was read: states and ages hold for this moment."""
        return self.overview.read_at

    @property
    def mount(self) -> bool:
        """The store is a folder that some program synchronises: heartbeats arrive late."""
        return not self.repository.proves_arrival

    @property
    def now(self) -> datetime:
        """The store's clock as reckoned for this moment."""
        return self.overview.read_at + timedelta(seconds=self.age_s)


def reader_zone() -> tzinfo:
    """The browser's own time zone; UTC where it does not tell."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def open_page(title: str) -> Page | None:
    """The page's head, and what to fill it with; None when there is no store or it has never answered (it has been said)."""
    repository = repository_of(current_choice())
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(title, anchor=False, width="content")
        if repository is not None:
            view = repository.view()
            if view.overview is not None or view.problem is not None:
                _pulse(repository, _drawn(repository, view))
            if view.overview is not None and title != MORNING:
                _show_small_pet(repository, view.overview)
    if repository is None:
        if title != MORNING:
            _say_no_store()
        return None
    if view.problem is not None and view.overview is not None:
        say_old_story(view.problem, view.age_s)
    if view.overview is None and view.problem is None:
        _wait_for_story(repository)
        return None
    if view.overview is None:
        if view.problem is not None:
            say_no_story(view.problem, on_settings=title == SETTINGS)
        return None
    return Page(repository, view.overview, view.age_s, reader_zone())


def _show_small_pet(repository: Repository, overview: Overview) -> None:
    mount = not repository.proves_arrival
    runs = (r for r in overview.runs if not r.files.annotations.archived)
    standings = {r.files.info.run_id: read_standing(r, overview.read_at, mount=mount) for r in runs}
    show_pet(pose_now(repository.url, overview.fingerprint, standings), width=56)


def _say_no_store() -> None:
    """Where a page would be blank otherwise; the Morning page has the first steps themselves."""
    st.markdown("No store is chosen yet: a folder, or a Google Drive, where the runs are kept.")
    with st.container(horizontal=True):
        st.page_link("views/morning.py", label="To the first steps", icon=":material/wb_twilight:")
        st.page_link("views/settings.py", label="To the settings", icon=":material/settings:")


@st.fragment(run_every=READING_S)
def _wait_for_story(repository: Repository) -> None:
    """For a store that was never seen and takes its time; the page fills itself."""
    view = repository.view()
    if view.overview is not None or view.problem is not None:
        st.rerun()
    st.markdown(":material/hourglass_top: Reading the store for the first time. A large one on Drive takes a minute.")
    st.caption("This page fills itself. The next time it opens with what was read last, and says how old that is.")


def say_broken(broken: Iterable[str]) -> None:
    """Files that could not be read, named calmly; the rest of the page stands."""
    sentences = list(broken)
    if sentences:
        label = (
            f"{plural(len(sentences), 'file')} could not be read and {'is' if len(sentences) == 1 else 'are'} left out"
        )
        with st.expander(label, icon=":material/healing:"):
            for sentence in sentences[:50]:
                st.markdown(f"- {escaped(sentence, limit=300)}")
            st.caption("They were left as they are. A file that is still arriving mends itself.")


def say_error(error: BatonpassError) -> None:
    """What cannot be done now, and what to do."""
    hint = f"  \nWhat to do: {escaped(error.hint, limit=300)}" if error.hint else ""
    message = error.message[:1].upper() + error.message[1:]
    st.info(f"{escaped(message, limit=300)}{hint}", icon=":material/info:")


def say_not_kept(error: BatonpassError) -> None:
    """What was typed is not on the store, and what to do."""
    st.error(f"Not kept: {escaped(error.message, limit=300)}. {escaped(error.hint, limit=200)}")


@st.fragment(run_every=PULSE_S)
def _pulse(repository: Repository, drawn: Hashable) -> None:
    """One line that lives. The page itself, with its charts, is sent again only when it has something else to say, or on demand."""
    view = repository.view()
    if _drawn(repository, view) != drawn:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if view.overview is not None:
            st.caption(f":material/schedule: Read {ago(view.age_s)}", width="content")
        if st.button("Read again", type="tertiary", icon=":material/refresh:"):
            repository.read_soon(deep=True)
            st.rerun()


def _drawn(repository: Repository, view: View) -> Hashable:
    """What a page that is drawn from this view says, as far as the view decides."""
    return sight(view.overview, mount=not repository.proves_arrival), view.problem, view.age_s > OLD_S
