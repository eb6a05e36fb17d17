"""Forgetting a run: everything of it is deleted, after its name was typed."""

from __future__ import annotations

import streamlit as st

from batonpass.core.settings import read_settings
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import current_choice
from batonpass.streamlit_app.components.errand_line import all_errands, show_errand
from batonpass.streamlit_app.components.page import Page
from batonpass.streamlit_app.components.text import escaped, plain
from batonpass.streamlit_app.custody import forget
from batonpass.streamlit_app.errands import Errand
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import plural, size


def show_forget(page: Page, run: RunStory, standing: RunStanding) -> None:
    """What would go, a place to type the name, and the button; where visitors only look, a reason why there is none."""
    if is_read_only():
        st.caption("This app only looks: a run is forgotten on your own computer.")
        return
    listed = [c for s in run.files.sessions for c in s.session.checkpoints]
    st.markdown(
        f"Deletes **{escaped(run.name, limit=80)}** from the store for good: {plural(len(listed), 'checkpoint')} "
        f"(together at most {escaped(size(sum(c.size_bytes for c in listed)))}), all metrics, sessions and notes, and what this computer "
        "kept of it. There is no trash. To only put it out of sight, archive it above."
    )
    if current_choice().simulated:
        st.caption("In the sample this does nothing: it stays to look around in.")
        return
    task = ("forget", page.repository.url, run.files.folder)
    force = standing.is_live and st.checkbox(
        "A session seems to be training it: let that one train on into nothing", key="forget-force"
    )
    name, run_id = plain(run.name, limit=80), run.files.info.run_id
    with st.form(f"forget-{run_id}", border=False):
        typed = st.text_input(
            "Type the run's name, or its id, to go on", placeholder=f"{name} or {run_id}", max_chars=120
        )
        pressed = st.form_submit_button("Forget this run", icon=":material/delete_forever:")
    if pressed and (typed or "").strip() not in (name, run_id):
        st.warning("That is not the run's name; nothing was deleted.", icon=":material/info:")
    elif pressed:
        all_errands().start(task, lambda errand: _work(page, run, errand, force=bool(force)))
        st.session_state["forgetting"] = (task, name)
    show_errand(task)


def say_forgotten() -> None:
    """On the page that comes after: what was deleted, said once."""
    task, name = st.session_state.get("forgetting") or (None, "")
    errand = all_errands().get(task) if task else None
    if errand is not None and errand.finished.is_set() and not errand.problem:
        st.success(
            f"{escaped(name)} is gone. {escaped(' '.join(errand.outcome), limit=300)}", icon=":material/delete_forever:"
        )
        del st.session_state["forgetting"]
        all_errands().drop(task)


def _work(page: Page, run: RunStory, errand: Errand, *, force: bool) -> tuple[str, ...]:
    folder = run.files.folder
    said = page.repository.through(lambda store: forget(store, folder, errand, read_settings(), force=force))
    page.repository.forget_here(run)
    page.repository.refresh(deep=True)
    return tuple(said)
