"""When the pet sits on the checkpoint: what became durable between two stories of a store, and what is at risk. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

from batonpass.streamlit_app.standing import RunStanding


@dataclass(frozen=True, slots=True)
class Watch:
    """What one tab saw of one store: the story drawn last, when each run's newest durable checkpoint was published, and the
    runs whose newest one that story was the first to show.
    """

    store: str
    story: Hashable
    newest: Mapping[str, datetime | None]
    fresh: frozenset[str] = frozenset()


def look(before: Watch | None, store: str, story: Hashable, standings: Mapping[str, RunStanding]) -> Watch:
    """The next look. The same story is the same look, however often a page is drawn; the first one of a store shows nothing as new."""
    if before is not None and (before.store, before.story) == (store, story):
        return before
    newest = {run: _durable_at(standing) for run, standing in standings.items()}
    known = before.newest if before is not None and before.store == store else None
    fresh = {
        run for run, at in newest.items() if known is not None and at is not None and _is_later(at, known.get(run))
    }
    return Watch(store, story, newest, frozenset(fresh))


def sits(watch: Watch, standings: Mapping[str, RunStanding]) -> bool:
    """True where nothing at all is at risk, or where the story drawn is the first that shows a new durable checkpoint of a live run.

    Nothing is at risk: every live run has a durable checkpoint, and it is of the newest step that the run has told of; with no run live,
    there are runs and all are finished. A training run is past its checkpoint by the time that one is durable, so the first rule alone
    would let the pet sit next to never; a margin in seconds would let it sit on work that can be lost.
    """
    live = {run: standing for run, standing in standings.items() if standing.is_live}
    if live:
        return bool(watch.fresh & live.keys()) or all(_is_safe(standing) for standing in live.values())
    return bool(standings) and all(standing.is_finished for standing in standings.values())


def _is_safe(standing: RunStanding) -> bool:
    return standing.risk_steps == 0 and _durable_at(standing) is not None


def _durable_at(standing: RunStanding) -> datetime | None:
    proven = (c.listing.published_at for c in standing.candidates if c.proven and not c.passed_over)
    return next(proven, None)


def _is_later(at: datetime, before: datetime | None) -> bool:
    return before is None or at > before
