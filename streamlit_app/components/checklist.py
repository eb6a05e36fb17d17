"""The first-day checklist that ticks itself: each line is read off the store, nothing is clicked."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from batonpass.streamlit_app.overview import Overview
from batonpass.streamlit_app.repository import Repository


@dataclass(frozen=True, slots=True)
class Step:
    """One line: what, whether it is done, and what makes it so."""

    text: str
    done: bool
    how: str


def first_day_steps(overview: Overview | None, *, reachable: bool, agent_there: bool | None) -> tuple[Step, ...]:
    """The four steps to a first safe checkpoint. `agent_there` is None where it could not be looked up."""
    sessions = [s.session for r in overview.runs for s in r.files.sessions] if overview else []
    has_receipts = any(r.files.arrived for r in overview.runs) if overview else False
    handed_over = any(s.checkpoints for s in sessions)
    return (
        Step("The store answers", reachable, "Choose one on the Morning page or in Settings."),
        Step(
            "Batonpass for notebooks lies on it",
            bool(agent_there),
            "Later cells install it from there; the first notebook brings its own. "
            + ("One click below, or `batonpass agent put`." if reachable else "One click, once there is a store."),
        ),
        Step(
            "A session has sent its first heartbeat",
            bool(sessions),
            "Run the cells of the first notebook, or of Resume.",
        ),
        Step(
            "A first checkpoint is durable",
            any(c.proven for s in sessions for c in s.checkpoints) or has_receipts,
            "One was handed over to a mounted Drive. That it arrived is proven by another computer than the notebook's: by this app, or by "
            "`batonpass verify RUN --receipt`."
            if handed_over
            else "Comes by itself, a few minutes into the training.",
        ),
    )


def first_day_of(repository: Repository | None) -> tuple[Step, ...]:
    """The steps as they stand in the store that is looked at; None is no store at all."""
    view = repository.view() if repository else None
    return first_day_steps(
        view.overview if view else None,
        reachable=view is not None and view.problem is None,
        agent_there=repository.agent_there() if repository else None,
    )


def show_checklist(steps: tuple[Step, ...]) -> None:
    """As lines with an icon and a word each."""
    for step in steps:
        icon, word = (
            (":green[:material/check_circle:]", "done") if step.done else (":material/radio_button_unchecked:", "to do")
        )
        st.markdown(f"{icon} **{step.text}** · {word}" + ("" if step.done else f"  \n:small[{step.how}]"))
