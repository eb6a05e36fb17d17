"""What a start waits for while another session holds the run, and the switch that takes the run from one that is known to be gone."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from batonpass.core.snippets.inputs import Target
from batonpass.streamlit_app.components.gpus import gpu_name, place
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import duration
from batonpass.sync.handover import LEASE_S, LONG_SILENCE_S, MOUNT_LEASE_S

_WITHOUT = (Target.TORCH, Target.HF, Target.LIGHTNING)
"""Cells without `bp.start`, which alone can take a run."""

TAKES_AT_ONCE = "**The run is taken at once**, by `takeover=` in the start line. Should that machine still train, it goes on as a branch."


def start_waits(run: RunStory, standing: RunStanding, target: Target, *, now: datetime, mount: bool) -> str:
    """How long a start on `target` waits for the session that holds the run, as `sync.handover` decides it; empty where it goes on at once.

    `now`: the store's clock. `mount`: the store as the app has it is a mounted Drive. What counts is how the *target* reaches it.
    """
    holder_id = run.files.head.holder
    if holder_id is None or target is Target.TORCH:
        return ""
    through_mount = target is Target.COLAB_MOUNT or (mount and target not in (Target.COLAB, Target.KAGGLE))
    holder = run.files.session(holder_id)
    if holder is None:
        state, where = "The file of the session that holds the run cannot be read", ""
        more = ". As long as it cannot, it then stops" if through_mount else ""
    else:
        session = holder.session
        silent_s = (now - holder.heard_at).total_seconds()
        if session.end is not None or not session.alive or silent_s > (LONG_SILENCE_S if through_mount else LEASE_S):
            return ""
        word = "quiet" if standing.is_quiet else "live"
        state = f"A session is {word}" if standing.is_live else "The last session has not said its end"
        where = f" ({escaped(f'{gpu_name(session)}, {place(session)}')})"
        more = ", and stops if there is one"
    wait = (
        f"waits up to {duration(MOUNT_LEASE_S)} for a sign of life, because a mounted Drive shows those late"
        if through_mount
        else f"waits up to {duration(LEASE_S)} for a sign of life"
    )
    return f"**{state}**{where}. The new one {wait}{more}."


def choose_takeover(run: RunStory, standing: RunStanding, target: Target, *, now: datetime, mount: bool) -> str | None:
    """The id of the session that the user says is gone; None where nothing waits for one, or nothing was said. A switch for each session,
    so that what was said of one is not said of the next.
    """
    holder_id = run.files.head.holder
    if target in _WITHOUT or not start_waits(run, standing, target, now=now, mount=mount):
        return None
    is_gone = st.toggle(
        "That machine is gone: do not wait for it",
        key=f"gone-{holder_id}",
        help="The cell then takes the run from that session at once, and from no other. Should it still train, it goes on as a branch.",
    )
    return holder_id if is_gone else None
