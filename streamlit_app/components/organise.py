"""What the user says about a run afterwards: title, tags, deadline, goal, archived. Never a path; the run itself only to forget it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.model import Annotations
from batonpass.streamlit_app.components.forget_run import show_forget
from batonpass.streamlit_app.components.page import Page, say_not_kept
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding


def show_organise(page: Page, run: RunStory, standing: RunStanding) -> None:
    """A form, whose content is `annotations.json` on the store, and below it the way to forget the run."""
    _form(page, run)
    with st.expander("Forget this run", icon=":material/delete_forever:"):
        show_forget(page, run, standing)


def _form(page: Page, run: RunStory) -> None:
    now = run.files.annotations
    with st.form(f"organise-{run.files.info.run_id}", border=False):
        title = st.text_input(
            "Title", value=now.title or "", placeholder=plain(run.files.info.name, limit=80), max_chars=120
        )
        tags = st.text_input("Tags, separated by commas", value=", ".join(now.tags), max_chars=300)
        goal = st.number_input(
            "Goal, in steps", min_value=0, value=_small(run.goal_steps), step=1000, help="0: as the run was started."
        )
        has_deadline = st.checkbox("It has a deadline", value=now.deadline is not None)
        shown = (now.deadline or page.as_of + timedelta(days=3)).astimezone(page.zone).replace(tzinfo=None)
        deadline = st.datetime_input("Deadline", value=shown)
        archived = st.checkbox("Archived: not on the Morning page", value=now.archived)
        if not st.form_submit_button("Keep", icon=":material/save:"):
            return
    moment = deadline.replace(tzinfo=page.zone) if has_deadline and isinstance(deadline, datetime) else None
    if moment is not None and now.deadline is not None and deadline == shown:
        moment = now.deadline  # to the second, as it was
    goal_steps = now.goal_steps if int(goal or 0) == _small(run.goal_steps) else int(goal or 0) or None
    mine = Annotations((title or "").strip() or None, _tags(tags or ""), moment, goal_steps, archived)
    _write(page, run, lambda there: merge_changes(now, mine, there))


def merge_changes(shown: Annotations, mine: Annotations, there: Annotations) -> Annotations:
    """What was changed in the form, on top of what another tab or computer has written since the form was drawn."""
    names = ("title", "tags", "deadline", "goal_steps", "archived")
    return replace(there, **{n: getattr(mine, n) for n in names if getattr(mine, n) != getattr(shown, n)})


def _tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t for t in (plain(t, limit=40) for t in text.split(",")) if t))[:20]


def _write(page: Page, run: RunStory, change: Callable[[Annotations], Annotations]) -> None:
    try:
        page.repository.edit_annotations(run.files.folder, change)
    except BatonpassError as error:
        say_not_kept(error)
    else:
        st.rerun()


def _small(goal: int | None) -> int:
    """A number that a browser can hold."""
    return min(max(goal or 0, 0), 2**53 - 1)
