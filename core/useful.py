"""Useful hours: training that was saved, out of the hours a machine was held. Pure arithmetic over session records."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from batonpass.core.model import Session
from batonpass.core.usage import last_seen


def useful_shares(sessions: Iterable[Session]) -> dict[str, float]:
    """Session -> the share of its time, 0 to 1, that went into training which a published checkpoint holds, proven or handed over.

    A checkpoint that retention has removed still counts where a later session continued from it. What a branch trained and saved counts too:
    whether the run went on from it is not the machine's merit. Waiting, downloading, and work after the last checkpoint do not.
    """
    every = list(sessions)
    taken: dict[tuple[str, str], int] = {}
    for session in every:
        if (record := session.resumed_from) is not None:
            source = (session.run_id, record.session)
            taken[source] = max(taken.get(source, 0), record.step)
    return {s.id: _share(s, taken.get((s.run_id, s.id), 0)) for s in every}


def useful_hours(sessions: Iterable[Session], shares: dict[str, float], since: datetime, until: datetime) -> float:
    """Useful hours that fall between two moments; a session that reaches beyond them counts by its share of the time."""
    total_s = 0.0
    for session in sessions:
        inside = (min(last_seen(session), until) - max(session.started_at, since)).total_seconds()
        total_s += max(inside, 0.0) * shares.get(session.id, 0.0)
    return total_s / 3600.0


def _share(session: Session, taken_to_step: int) -> float:
    """The saved part of `trained_s`, over the session's whole length. Never above 1, whatever a damaged file says."""
    length_s = (last_seen(session) - session.started_at).total_seconds()
    trained_s = session.trained_s if math.isfinite(session.trained_s) else 0.0
    if length_s <= 0 or trained_s <= 0:
        return 0.0
    saved_s = max((c.trained_s for c in session.checkpoints if math.isfinite(c.trained_s)), default=0.0)
    began = session.step - session.steps_done
    if session.steps_done > 0 and taken_to_step > began:
        saved_s = max(saved_s, trained_s * min((taken_to_step - began) / session.steps_done, 1.0))
    return min(max(min(saved_s, trained_s) / length_s, 0.0), 1.0)
