"""Notes: kept on the store, one small file each, so that two computers never overwrite each other's."""

from __future__ import annotations

import streamlit as st

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.core.model import Note
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, escaped_lines
from batonpass.streamlit_app.overview import RunStory, current_notes
from batonpass.streamlit_app.wording import local

LONGEST = 4000


def show_notes(page: Page, run: RunStory) -> None:
    """The notes of a run."""
    edit_notes(page, naming.notes_folder(run.files.folder), run.notes, key=run.files.info.run_id)


def edit_notes(page: Page, prefix: str, notes: tuple[Note, ...], *, key: str) -> None:
    """The notes under `prefix`, newest first, each to be changed in place, and a place for a new one."""
    with st.form(f"new-note-{key}", clear_on_submit=True, border=False):
        text = st.text_area(
            "New note", max_chars=LONGEST, placeholder="What would you want to know in two weeks?", height=90
        )
        if st.form_submit_button("Keep this note", icon=":material/note_add:") and (text or "").strip():
            _write(page, prefix, text or "", None)
    for note in current_notes(notes)[:50]:
        with st.container(border=True, gap="xsmall"):
            st.markdown(escaped_lines(note.text, limit=LONGEST))
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(local(note.written_at, page.zone), width="content")
                with st.popover("Change", type="tertiary", icon=":material/edit:"):
                    _change(page, prefix, note)


def _change(page: Page, prefix: str, note: Note) -> None:
    with st.form(f"note-{note.id}", border=False):
        text = st.text_area("Note", value=note.text, max_chars=LONGEST)
        if st.form_submit_button("Keep the change"):
            _write(page, prefix, text or "", note.id)
        st.caption("An empty text removes the note.")


def _write(page: Page, prefix: str, text: str, replaces: str | None) -> None:
    try:
        page.repository.add_note(prefix, text.strip(), replaces=replaces)
    except BatonpassError as error:
        st.error(f"Not kept: {escaped(error.message, limit=300)}. {escaped(error.hint, limit=200)}")
    else:
        st.rerun()
