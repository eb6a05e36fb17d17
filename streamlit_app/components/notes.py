"""Notes: kept on the store, one small file each, so that two computers never overwrite each other's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.core.model import Note
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.page import Page, say_not_kept
from batonpass.streamlit_app.components.text import escaped_lines
from batonpass.streamlit_app.note_history import older_texts, removed_notes
from batonpass.streamlit_app.overview import RunStory, current_notes
from batonpass.streamlit_app.wording import local

LONGEST = 4000
LISTED = 50
Writer = Callable[[str, str | None], None]
"""Keeps a text on the store; the second argument is the id of the note that it replaces."""


def show_notes(page: Page, run: RunStory) -> None:
    """The notes of a run."""
    prefix = naming.notes_folder(run.files.folder)
    edit_notes(page, run.notes, partial(page.repository.add_note, prefix), key=run.files.info.run_id)


def edit_notes(page: Page, notes: tuple[Note, ...], write: Writer, *, key: str) -> None:
    """The notes, newest first, each to be changed in place, and a place for a new one."""
    if not is_read_only():
        _new_note(write, key)
    for note in current_notes(notes)[:LISTED]:
        with st.container(border=True, gap="xsmall"):
            st.markdown(escaped_lines(note.text, limit=LONGEST))
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(local(note.written_at, page.zone), width="content")
                if not is_read_only():
                    with st.popover("Change", type="tertiary", icon=":material/edit:"):
                        _change(write, note)
                _show_older(page, older_texts(notes, note))
    _show_removed(page, removed_notes(notes))


def _new_note(write: Writer, key: str) -> None:
    """The text leaves its field only once it is kept."""
    kept = f"notes-kept-{key}"
    number = st.session_state.setdefault(kept, 0)
    with st.form(f"new-note-{key}", border=False):
        text = st.text_area(
            "New note",
            max_chars=LONGEST,
            placeholder="What would you want to know in two weeks?",
            height=90,
            key=f"new-note-{key}-{number}",
        )
        if st.form_submit_button("Keep this note", icon=":material/note_add:") and (text or "").strip():
            _write(write, text or "", None, then=lambda: st.session_state.__setitem__(kept, number + 1))


def _show_older(page: Page, older: tuple[Note, ...]) -> None:
    """What a note said before it was changed."""
    if older:
        with st.popover(
            f"Changed {'once' if len(older) == 1 else f'{len(older):,} times'}",
            type="tertiary",
            icon=":material/history:",
        ):
            for note in older[:LISTED]:
                st.caption(local(note.written_at, page.zone))
                st.markdown(escaped_lines(note.text, limit=LONGEST) or "(empty)")


def _show_removed(page: Page, removed: tuple[Note, ...]) -> None:
    if removed:
        with st.expander(f"Removed notes ({len(removed):,})", icon=":material/history:"):
            for note in removed[:LISTED]:
                st.caption(f"written {local(note.written_at, page.zone)}")
                st.markdown(escaped_lines(note.text, limit=LONGEST))


def _change(write: Writer, note: Note) -> None:
    with st.form(f"note-{note.id}", border=False):
        text = st.text_area("Note", value=note.text, max_chars=LONGEST)
        if st.form_submit_button("Keep the change"):
            _write(write, text or "", note.id)
        st.caption("The older text stays readable. An empty text takes the note off the list.")


def _write(write: Writer, text: str, replaces: str | None, then: Callable[[], None] = lambda: None) -> None:
    try:
        write(text.strip(), replaces)
    except BatonpassError as error:
        say_not_kept(error)
    else:
        then()
        st.rerun()
