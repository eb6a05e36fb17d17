"""The first minute: what there is to see before the first run, and the cell that begins it."""

from __future__ import annotations

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.snippets.day_one import day_one
from batonpass.core.snippets.inputs import SnippetInputs, Target
from batonpass.core.snippets.notebook import to_notebook
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import choose_store, current_choice, look_at_sample, repository_of
from batonpass.streamlit_app.components.account_label import choose_label
from batonpass.streamlit_app.components.drive_folder import drive_folder
from batonpass.streamlit_app.components.first_day import show_first_day
from batonpass.streamlit_app.components.page import Page, say_error
from batonpass.streamlit_app.components.pet import show_pet
from batonpass.streamlit_app.components.pet_drawing import Mood
from batonpass.streamlit_app.components.text import escaped
from batonpass.sync.agent import build_wheel

MOST_STEPS = 10**12
_FOLDER_PLACES = {Target.COLAB_MOUNT: "Colab", Target.LOCAL: "My computer"}
_DRIVE_PLACES = {Target.COLAB: "Colab", Target.KAGGLE: "Kaggle", Target.LOCAL: "My computer"}
"""Through the Drive API everywhere: what a mount writes, a token of the scope drive.file cannot see."""


def show_empty(page: Page | None) -> None:
    """For a store without runs, or none at all yet."""
    choice = current_choice()
    repository = repository_of(choice)
    if page is None and repository is not None:
        return  # it does not answer, or is still being read: whether there is a run is not known
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        show_pet(Mood.SLEEPING, words="sleeps: there is no run yet")
        st.markdown(
            "**No run yet.** Here the runs will stand, one card each: how far, how safe, and one click to go on.",
            width="content",
        )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Look around first", anchor=False)
        st.markdown(
            "A simulated sample: three runs, twelve sessions on five kinds of GPU, two weeks. No account needed."
        )
        st.button(
            "Look around in the simulated sample", on_click=look_at_sample, icon=":material/science:", type="primary"
        )
        st.subheader("Your first run", anchor=False)
        if choice.url is None and is_read_only():
            st.caption("No store is set for this app: its host names one in `BATONPASS_STORE`.")
        elif choice.url is None:
            _ask_store()
        else:
            st.markdown(f"The store: **{escaped(choice.url, limit=200)}**")
            if page is not None:
                _first_cell(page)
    with right:
        st.subheader("First day", anchor=False)
        show_first_day(repository, page)


def _ask_store() -> None:
    """A folder is enough; a mounted Drive's folder is one that a notebook reaches too."""
    with st.form("first-store", border=False):
        url = st.text_input(
            "Where shall the runs be kept?",
            placeholder="~/Google Drive/My Drive/batonpass",
            help="A folder of this computer. One that Drive for desktop keeps in step is reached from Colab too.",
        )
        if st.form_submit_button("Use this folder"):
            try:
                choose_store(url)
            except OSError as error:
                st.error(f"Could not be remembered on this computer: {escaped(error)}")
            else:
                st.rerun()


def _first_cell(page: Page) -> None:
    """The notebook and the cell of the first day, made for the user's own folder."""
    with st.container(horizontal=True):
        name = st.text_input("Name of the run", value="my-first-run", key="first-name")
        goal = st.number_input("Steps in all", min_value=1, max_value=MOST_STEPS, value=10_000, key="first-goal")
    places = _DRIVE_PLACES if page.repository.url.startswith("gdrive://") else _FOLDER_PLACES
    usual = next(iter(places))
    target = st.pills(
        "Where", list(places), default=usual, format_func=lambda t: places[t], required=True, key="first-where"
    )
    if places is _FOLDER_PLACES:
        st.caption(
            "Kaggle mounts no Drive: a run that shall go on there too needs a store on the Drive API, in Settings; `batonpass copy` brings a folder there later."
        )
    label = choose_label(page, key="first-label")
    folder = drive_folder(page) if target is Target.COLAB_MOUNT else "MyDrive/batonpass"
    try:
        inputs = SnippetInputs(
            run_name=name or "my-first-run",
            run_id=None,
            root_id=None,
            store=page.repository.url,
            account=label,
            goal_steps=int(goal),
            drive_folder=folder,
        )
        wheel = build_wheel()
        snippet = day_one(target or usual, inputs, {wheel.name: wheel.data})
    except BatonpassError as error:
        say_error(error)
        return
    st.download_button(
        "Download the first notebook",
        to_notebook(snippet),
        file_name="batonpass-first-day.ipynb",
        mime="application/x-ipynb+json",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption(
        "It brings everything, and installs Batonpass from itself: open it in the notebook service (or in Jupyter), put your own cells where it says so, and run all from top to bottom. "
        "Where Batonpass is installed already, the cells below are the whole:"
    )
    reach, *_, start, train = [cell.source for cell in snippet.cells if cell.kind == "code"]
    st.code(f"{reach}\n\n\n{start}\n\n\n{train}", language="python", wrap_lines=True)
