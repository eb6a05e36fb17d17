"""A run's past as a simulation draws from it: what each session brought it, how long it lasted, and how long nobody trained before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from batonpass.core.lineage import Lineage, trace
from batonpass.core.model import Session
from batonpass.core.usage import last_seen
from batonpass.streamlit_app.overview import RunStory

NEWEST = 60
"""So many sessions at most are drawn from: the newest."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One session that is over. Times in seconds."""

    steps: int
    """What it brought the run: the steps that the next session did not have to run again."""
    length_s: float
    """From its start to its last sign of life."""
    rest_s: float | None
    """How long nobody trained before it; None before the first."""


@dataclass(frozen=True, slots=True)
class History:
    """The turns of a run's trunk, oldest first, and how it stands. Times in seconds."""

    turns: tuple[Turn, ...]
    live_for_s: float | None = None
    """How long the session that trains now has lasted; None where none does."""
    live_steps: int = 0
    """What that one has done so far."""
    resting_s: float = 0.0
    """How long nobody has trained; 0 while a session is live."""


def read_history(run: RunStory, now: datetime, *, live: bool) -> History:
    """Of the sessions that count, by the way back from the holder. `now` is the store's clock when the run was read."""
    lineage = trace(run.files.head, [s.session for s in run.files.sessions])
    line = [link.session for link in reversed(lineage.links) if link.counts]
    over = line[:-1] if live else line
    turns = _turns(over, _reached(lineage))[-NEWEST:]
    if not line:
        return History(turns)
    last = line[-1]
    if not live:
        return History(turns, resting_s=max((now - last_seen(last)).total_seconds(), 0.0))
    return History(turns, max((now - last.started_at).total_seconds(), 0.0), max(last.step - _began_at(last), 0))


def _turns(over: Sequence[Session], reached: dict[str, int]) -> tuple[Turn, ...]:
    turns = []
    for place, session in enumerate(over):
        before = over[place - 1] if place else None
        rest_s = None if before is None else max((session.started_at - last_seen(before)).total_seconds(), 0.0)
        length_s = max((last_seen(session) - session.started_at).total_seconds(), 1.0)
        steps = max(reached[session.id] - _began_at(session), 0)
        turns.append(Turn(steps, length_s, rest_s))
    return tuple(turns)


def _reached(lineage: Lineage) -> dict[str, int]:
    """Session -> the step up to which its work counts: where the next one began, else its newest checkpoint."""
    reached = {}
    for link in lineage.links:
        saved = max((c.step for c in link.session.checkpoints), default=0)
        reached[link.session.id] = link.cut.step if link.cut is not None else saved
    return reached


def _began_at(session: Session) -> int:
    return session.resumed_from.step if session.resumed_from is not None else 0
