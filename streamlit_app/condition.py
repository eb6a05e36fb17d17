"""What surrounds the runs on a store: the space that is left, and the copies a syncing program made of one run's files. Read beside the
overview, never in the way of it: what cannot be told is None or empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from batonpass.core.storage import Store
from batonpass.streamlit_app.overview import Overview, RunStory
from batonpass.sync.room import Room, conflict_copies, read_room

RECENT = 20
"""Copies are looked for in so many runs: those that moved last."""


@dataclass(frozen=True, slots=True)
class StoreCondition:
    """`conflicts`: a run's folder -> names of copies; runs without any are left out."""

    room: Room | None = None
    conflicts: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_condition(store: Store, overview: Overview) -> StoreCondition:
    """As it is now: on Drive one small request, in a folder one look at the disk and at the newest runs' folders."""
    found = ((run.files.folder, conflict_copies(store, run.files.folder)) for run in _newest(overview.runs))
    return StoreCondition(read_room(store), {folder: copies for folder, copies in found if copies})


def _newest(runs: Iterable[RunStory]) -> list[RunStory]:
    open_runs = (r for r in runs if not r.files.annotations.archived and r.files.sessions)
    return sorted(open_runs, key=lambda r: max(s.heard_at for s in r.files.sessions), reverse=True)[:RECENT]
