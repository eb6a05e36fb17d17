"""The deadline of a run, set where it is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.streamlit_app.components.page import Page, say_error
from batonpass.streamlit_app.overview import RunStory

SOONEST = timedelta(days=3)


def show_deadline(page: Page, run: RunStory) -> None:
    """A button that opens the form; what is stored is `annotations.json` on the store."""
    run_id, now = run.files.info.run_id, run.files.annotations.deadline
    label = "Deadline" if now is not None else "Set a deadline"
    with (
        st.popover(label, icon=":material/flag:", type="tertiary", key=f"deadline-{run_id}"),
        st.form(f"deadline-form-{run_id}", border=False),
    ):
        shown = (now or page.as_of + SOONEST).astimezone(page.zone).replace(tzinfo=None, second=0, microsecond=0)
        moment = st.datetime_input("To be done by, in your own time zone", value=shown, key=f"deadline-at-{run_id}")
        with st.container(horizontal=True, gap="small"):
            keep = st.form_submit_button("Keep", icon=":material/save:", type="primary")
            drop = now is not None and st.form_submit_button("No deadline", type="tertiary")
    if keep and isinstance(moment, datetime):
        _write(page, run, moment.replace(tzinfo=page.zone))
    elif drop:
        _write(page, run, None)


def _write(page: Page, run: RunStory, deadline: datetime | None) -> None:
    try:
        page.repository.edit_annotations(run.files.folder, lambda old: replace(old, deadline=deadline))
    except BatonpassError as error:
        say_error(error)
    else:
        st.rerun()
