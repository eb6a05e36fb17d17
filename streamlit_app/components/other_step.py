"""A checkpoint that the list leaves out, by its step."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batonpass.core.model import CheckpointListing
from batonpass.streamlit_app.components.shortlist import at_step, steps_around
from batonpass.streamlit_app.wording import count

LARGEST_STEP = 2**53 - 1  # a browser counts no further


def choose_other_step(found: Sequence[CheckpointListing], listed: int, *, key: str) -> CheckpointListing | None:
    """Asks only where `found` has more than the `listed` ones. None until a step is typed that has a checkpoint."""
    if len(found) <= listed:
        return None
    typed = st.number_input(
        "Any other step",
        min_value=0,
        max_value=LARGEST_STEP,
        value=None,
        step=1,
        key=key,
        width=220,
        placeholder="goes before the list",
        help=f"The list has the newest and the best: {count(listed)} of {count(len(found))} checkpoints.",
    )
    if typed is None:
        return None
    listing = at_step(found, typed)
    if listing is None:
        near = " and ".join(count(step) for step in steps_around(found, typed))
        st.caption(f"No checkpoint is of step {count(typed)}; the nearest are of {near}. The one in the list counts.")
    return listing
