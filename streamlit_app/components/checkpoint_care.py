"""One checkpoint at a time: check it against its manifest, prove its arrival, take its files home."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batonpass.core.lineage import Candidate
from batonpass.core.model import CheckpointListing, Session
from batonpass.core.settings import read_settings
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.checkpoint_files import show_checkpoint_files
from batonpass.streamlit_app.components.errand_line import all_errands, show_errand
from batonpass.streamlit_app.components.other_step import choose_other_step
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.shortlist import shortlist
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.custody import check_checkpoint, prove_everything
from batonpass.streamlit_app.errands import Errand, Work
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import count, size


def show_checkpoint_care(page: Page, run: RunStory, found: Sequence[tuple[Session, CheckpointListing]]) -> None:
    """A place to choose one, and what can be done with it. `found` newest first, not empty."""
    by_key = {listing.key: (session, listing) for session, listing in found}
    listings = [listing for _, listing in found]
    offered = shortlist(listings)
    run_id = run.files.info.run_id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "One checkpoint",
            list(offered),
            format_func=lambda key: _label(by_key[key][1], offered.get(key, "")) if key in by_key else plain(key),
            key=f"checkpoint-{run_id}",
            width=360,
        )
        other = choose_other_step(listings, len(offered), key=f"other-step-{run_id}")
    if other is not None:
        chosen = other.key
        st.caption(f"Chosen by its step: {escaped(_label(other))}")
    if chosen not in by_key:
        return
    session, listing = by_key[chosen]
    task = (page.repository.url, run.files.folder, chosen)
    if is_read_only():
        st.caption(
            "This app only looks: checkpoints are checked on your own computer, there or with `batonpass verify`."
        )
    else:
        _show_buttons(page, run, listing, task)
    show_errand(task)
    show_checkpoint_files(page, run, Candidate(session.id, listing, _is_proven(run, listing)))


def _show_buttons(page: Page, run: RunStory, listing: CheckpointListing, task: tuple[str, str, str]) -> None:
    """What can be asked for. The work is the host's, so none of it is offered where visitors only look."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Check",
            icon=":material/fact_check:",
            on_click=_start,
            args=(task, _check(page, run, listing.key, read=False)),
            help="Asks the store for the size and checksum of every file. Reads no content.",
        )
        st.button(
            "Check every byte",
            icon=":material/manage_search:",
            on_click=_start,
            args=(task, _check(page, run, listing.key, read=True)),
            help=f"Reads {size(listing.size_bytes)} back in the background and compares each file with its sha256.",
        )
        if not _is_proven(run, listing):
            st.button(
                "Prove arrival",
                icon=":material/receipt_long:",
                on_click=_start,
                args=(task, _prove(page, run)),
                help="Reads what was handed over to the Drive and leaves a receipt. Not on the computer that wrote it.",
            )


def _check(page: Page, run: RunStory, key: str, *, read: bool) -> Work:
    folder = run.files.folder
    return lambda errand: page.repository.through(lambda store: check_checkpoint(store, folder, key, errand, read=read))


def _prove(page: Page, run: RunStory) -> Work:
    def work(errand: Errand) -> Sequence[str]:
        said = page.repository.through(lambda store: prove_everything(store, run.files.folder, errand, read_settings()))
        page.repository.refresh(deep=True)
        return said

    return work


def _start(task: tuple[str, ...], work: Work) -> None:
    all_errands().start(task, work)


def _is_proven(run: RunStory, listing: CheckpointListing) -> bool:
    return listing.proven or listing.key in run.files.arrived


def _label(listing: CheckpointListing, best: str = "") -> str:
    name = plain(listing.key.rsplit("/", 1)[-1].removesuffix(".json"), limit=60)
    return f"step {count(listing.step)} · {size(listing.size_bytes)} · {name}{f' · best {plain(best, limit=60)}' if best else ''}"
