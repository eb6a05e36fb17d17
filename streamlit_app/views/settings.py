"""Settings: the store, how it is reached, how much space it takes, and the pet."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import choose_store, current_choice, look_at_sample, repository_of
from batonpass.streamlit_app.components.alerts_panel import show_alerts_settings
from batonpass.streamlit_app.components.appearance import show_appearance
from batonpass.streamlit_app.components.credential import show_credential
from batonpass.streamlit_app.components.first_day import show_first_day
from batonpass.streamlit_app.components.page import SETTINGS, Page, open_page, say_broken
from batonpass.streamlit_app.components.pet import NO_PET, show_pet
from batonpass.streamlit_app.components.pet_drawing import COATS, Mood
from batonpass.streamlit_app.components.space import show_space
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.preferences import load_preferences, preferences_file, save_preferences


def show() -> None:
    """The page."""
    page = open_page(SETTINGS)
    left, right = st.columns(2, gap="large")
    with left:
        _store()
        show_credential()
        if page is not None:
            if page.mount and not is_read_only():
                _receipts(page)
            show_space(page)
            show_alerts_settings(page)
            say_broken(page.overview.broken)
    with right:
        st.subheader("First day", anchor=False)
        show_first_day(repository_of(current_choice()), page)
        _pet()
        show_appearance()


def _store() -> None:
    st.subheader("Store", anchor=False)
    choice = current_choice()
    if choice.simulated:
        st.markdown("You are looking at the simulated sample. Leave it (above) to see your own store.")
        return
    if choice.fixed:
        st.markdown(f"Named at the start (`--store` or `BATONPASS_STORE`): **{escaped(choice.url, limit=300)}**")
        st.button("Look around in the simulated sample", on_click=look_at_sample, icon=":material/science:")
        return
    if is_read_only():
        st.markdown("Chosen on the host; it cannot be changed from here.")
        return
    with st.form("store", border=False):
        url = st.text_input(
            "Folder or URL",
            value=choice.url or "",
            placeholder="~/Google Drive/My Drive/batonpass",
            help="A folder of this computer (also one that Drive for desktop keeps in step), or gdrive://batonpass.",
        )
        if st.form_submit_button("Use this store", type="primary"):
            _save_store(url)
    st.button("Look around in the simulated sample", on_click=look_at_sample, icon=":material/science:")


def _save_store(url: str) -> None:
    try:
        choose_store(url)
    except OSError as error:
        st.error(f"Could not be remembered in {escaped(preferences_file())}: {escaped(error)}")
    else:
        st.rerun()


def _receipts(page: Page) -> None:
    st.subheader("Proof of arrival", anchor=False)
    preferences = load_preferences()
    wanted = st.toggle(
        "Read each run's newest checkpoint here, as proof that it has arrived",
        value=preferences.receipts,
        key="receipts",
        help="A notebook cannot prove that what it handed to its mounted Drive has arrived. This computer can, by reading it.",
    )
    if wanted != preferences.receipts:
        try:
            save_preferences(replace(preferences, receipts=wanted))
        except OSError as error:
            st.error(f"Could not be remembered: {escaped(error)}")
    st.caption(
        "Drive for desktop **downloads the whole checkpoint** for this, often gigabytes, again for each new one. Off unless you switch it on. "
        "Once in a while by hand: `batonpass verify RUN --receipt`."
    )
    if wanted and page.repository.prover is not None and page.repository.prover.says:
        st.caption(f":material/fact_check: {escaped(page.repository.prover.says, limit=200)}")


def _pet() -> None:
    st.subheader("Company", anchor=False)
    preferences = load_preferences()
    options = [*COATS, NO_PET]
    pet = st.segmented_control(
        "Who watches the runs",
        options,
        default=preferences.pet if preferences.pet in options else options[0],
        required=True,
        disabled=is_read_only(),
        key="pet",
        format_func=lambda p: "nobody" if p == NO_PET else p,
    )
    if pet and pet != preferences.pet and not is_read_only():
        try:
            save_preferences(replace(preferences, pet=pet))
        except OSError as error:
            st.error(f"Could not be remembered: {escaped(error)}")
    with st.container(horizontal=True):
        for pose in Mood:
            show_pet(pose, words=f"{pose.value}, as an example")
    st.caption(
        "Beside the title of every page. Sleeps while quiet, runs while something trains, sits on the checkpoint when a new one has just become "
        "durable and while no work is at risk. "
        "Holds still if your system asks for less motion."
    )


if __name__ == "__main__":
    show()
