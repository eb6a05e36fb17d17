"""Resume: a run, a checkpoint, a target, and the cell that continues there."""

from __future__ import annotations

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.lineage import Candidate
from batonpass.core.settings import read_settings
from batonpass.core.snippets.inputs import CheckpointPick, SnippetInputs, Target
from batonpass.core.snippets.notebook import to_notebook
from batonpass.core.snippets.proofs import TESTED
from batonpass.core.snippets.render import render
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.choice import current_choice
from batonpass.streamlit_app.components.account_label import choose_label
from batonpass.streamlit_app.components.agent_button import show_agent_button
from batonpass.streamlit_app.components.checkpoint_files import show_checkpoint_files
from batonpass.streamlit_app.components.drive_folder import drive_folder
from batonpass.streamlit_app.components.other_step import choose_other_step
from batonpass.streamlit_app.components.page import Page, open_page, say_error
from batonpass.streamlit_app.components.preflight import show_preflight
from batonpass.streamlit_app.components.run_choice import choose_run
from batonpass.streamlit_app.components.shortlist import shortlist
from batonpass.streamlit_app.components.takeover import choose_takeover
from batonpass.streamlit_app.components.text import escaped, file_name, plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding, read_standing
from batonpass.streamlit_app.wording import ago, count
from batonpass.sync.sign_in import credential_file

TARGETS = {
    Target.COLAB_MOUNT: "Colab, mounted Drive",
    Target.COLAB: "Colab, Drive API",
    Target.KAGGLE: "Kaggle",
    Target.LOCAL: "My computer",
    Target.HF: "Hugging Face Trainer",
    Target.LIGHTNING: "Lightning",
    Target.TORCH: "Only torch",
}
NEWEST = ""


def show() -> None:
    """The page."""
    page = open_page("Resume")
    run = choose_run(page.overview) if page else None
    if page is None or run is None:
        return
    standing = read_standing(run, page.as_of, mount=page.mount)
    candidate, pick = _choose_checkpoint(page, standing)
    target = _choose_target(page, run)
    label = choose_label(page, key="label")
    before = st.container()
    gone = choose_takeover(run, standing, target, now=page.as_of, mount=page.mount)
    with before:
        show_preflight(page, run, standing, candidate, target, gone=gone)
    inputs = _inputs(page, run, standing, pick, label, target, gone)
    if inputs is not None:
        _show_snippet(page, run, target, inputs)
    if candidate is not None:
        show_checkpoint_files(page, run, candidate)


def _choose_checkpoint(page: Page, standing: RunStanding) -> tuple[Candidate | None, CheckpointPick | None]:
    """The checkpoint that will be restored, and the pick when it is not simply the newest."""
    usable = [c for c in standing.candidates if not c.passed_over]
    by_key = {c.key: c for c in usable}
    newest = next(iter(usable), None)
    offered = shortlist([c.listing for c in usable[1:]])

    def describe(key: str) -> str:
        c = by_key.get(key) or newest
        if c is None:
            return "The newest one, once there is one"
        state = "durable" if c.proven else "handed over"
        words = f"step {count(c.step)} · {state} · {ago((page.as_of - c.listing.created_at).total_seconds())}"
        best = f" · best {plain(offered[key], limit=60)}" if offered.get(key) else ""
        return f"The newest: {words}" if key == NEWEST else f"Rewind to {words}{best}"

    key = st.selectbox("Checkpoint", [NEWEST, *list(offered)], format_func=describe, key="checkpoint")
    other = choose_other_step([c.listing for c in usable[1:]], len(offered), key="other-step")
    if other is not None:
        key = other.key
        st.caption(f"Chosen by its step: {escaped(describe(key))}")
    if key and key in by_key:
        return by_key[key], CheckpointPick(key, by_key[key].step)
    return newest, None


def _choose_target(page: Page, run: RunStory) -> Target:
    names = list(TARGETS)
    last = max((s.session for s in run.files.sessions), key=lambda s: s.started_at, default=None)
    usual = usual_target(page.repository.url, last.host.provider if last is not None else "")
    chosen = st.pills(
        "Continue on", names, default=usual, format_func=lambda t: TARGETS[t], required=True, key="target"
    )
    return chosen or usual


def usual_target(url: str, provider: str) -> Target:
    """Where its last session ran (`provider`, empty where there was none), as far as the store can be reached from there. A store on the Drive API is continued through the API:
    what a mount writes, a token of the scope drive.file cannot see.
    """
    if url.startswith("gdrive://"):
        return Target.KAGGLE if provider == "kaggle" else Target.COLAB
    return Target.COLAB_MOUNT if provider in ("", "colab", "kaggle") else Target.LOCAL


def _inputs(
    page: Page,
    run: RunStory,
    standing: RunStanding,
    pick: CheckpointPick | None,
    label: str,
    target: Target,
    gone: str | None,
) -> SnippetInputs | None:
    """What the cell is made of; None when it cannot be made (it has been said)."""
    info = run.files.info
    folder = drive_folder(page) if target is Target.COLAB_MOUNT else "MyDrive/batonpass"
    newest = standing.newest
    try:
        return SnippetInputs(
            run_name=info.name,
            run_id=info.run_id,
            root_id=page.repository.root().root_id,
            store=page.repository.url,
            account=label,
            goal_steps=run.goal_steps,
            wheels=(agent,) if (agent := page.repository.agent()) else (),
            pick=pick,
            gone=gone,
            newest_step=newest.step if newest else None,
            drive_folder=folder,
            token_file=None if is_read_only() else _token_file(page),
        )
    except BatonpassError as error:
        say_error(error)
        return None


def _token_file(page: Page) -> str | None:
    """Where this computer's own sign-in lies, for a cell that runs on it too; the app's visitors from elsewhere have no use for it."""
    found = credential_file(read_settings()) if page.repository.url.startswith("gdrive://") else None
    return str(found) if found is not None else None


def _show_snippet(page: Page, run: RunStory, target: Target, inputs: SnippetInputs) -> None:
    try:
        snippet = render(target, inputs)
    except BatonpassError as error:
        say_error(error)
        if not inputs.wheels and target is not Target.TORCH:
            show_agent_button(page)
        return
    st.subheader("The cell", anchor=False)
    for line in snippet.says.splitlines():
        st.markdown(f":material/restore: {escaped(line, limit=400)}")
    st.caption(f":material/science: {TESTED[target][0]}")
    if current_choice().simulated:
        st.caption("From the simulated sample: good to look at; there is nothing behind it to continue.")
    with st.container(horizontal=True):
        st.download_button(
            "Download as a notebook",
            to_notebook(snippet),
            file_name=file_name(run.files.info.slug, f"-{target.value}.ipynb"),
            mime="application/x-ipynb+json",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
    st.caption(
        "Or copy it with the button at its top right, paste it into one cell **below your own cells** (model, optimizer, loader, training step, "
        "as on the first day), and run it."
    )
    st.code(snippet.code, language="python", height=420)


if __name__ == "__main__":
    show()
