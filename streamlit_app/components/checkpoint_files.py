"""The files of one checkpoint, to take home: plain safetensors and JSON."""

from __future__ import annotations

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.lineage import Candidate
from batonpass.streamlit_app.access import may_download
from batonpass.streamlit_app.components.being_read import show_being_read
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, file_name
from batonpass.streamlit_app.fetching import StillReadingError
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, size

LIMIT_BYTES = 500_000_000
"""A browser download passes through this process's memory; larger files are for the command line."""


def show_checkpoint_files(page: Page, run: RunStory, candidate: Candidate) -> None:
    """A button per file. The store is asked for the manifest when the list is opened, for bytes when a button is pressed."""
    opened = st.expander(
        f"The files of step {count(candidate.step)}", icon=":material/folder_zip:", on_change="rerun", key="files"
    )
    if not opened.open:
        return
    with opened:
        try:
            manifest = page.repository.manifest(candidate.key, store_id=candidate.listing.id)
        except StillReadingError as late:
            show_being_read(late)
            return
        except BatonpassError as error:
            st.warning(f"The list of its files cannot be read: {escaped(error.message, limit=300)}")
            return
        if not may_download():
            st.caption(":material/lock: Taking checkpoints home is switched off here.")
        for entry in manifest.files:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.download_button(
                    escaped(entry.name, limit=60),
                    lambda e=entry: page.repository.checkpoint_file(run.files.folder, e),  # type: ignore[misc]
                    file_name=file_name(entry.name.replace("/", "-"), ""),
                    icon=":material/download:",
                    on_click="ignore",
                    disabled=entry.size_bytes > LIMIT_BYTES or not may_download(),
                    key=f"file-{entry.pool}",
                )
                st.caption(f"{size(entry.size_bytes)} · sha256 {escaped(entry.sha256[:12])}…", width="content")
        name = escaped(run.files.folder.split("/")[1])
        st.caption(f"All at once, checked: batonpass restore {name} --step {candidate.step} --to FOLDER")
