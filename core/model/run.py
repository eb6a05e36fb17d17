"""What belongs to a whole run or a whole root, not to one session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FORMAT = 1
"""The format version this release writes. It reads every version up to this one."""
PACKED_FORMAT = 2
"""Of a manifest that names packed files, and of nothing else: a release that cannot unpack them must say so, and not call them damaged."""


@dataclass(frozen=True, slots=True)
class Root:
    """`batonpass.json`: marks a folder as ours."""

    root_id: str
    created_at: datetime
    client: str = ""
    """Which program and which kind of sign-in created it, as "batonpass 0.1.0 (folder)"."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class RunInfo:
    """`run.json`: written once, when the run is created."""

    run_id: str
    name: str
    """As the user typed it: untrusted text, shown, never used as a path."""
    slug: str
    created_at: datetime
    created_by: str
    """The id of the session that created it."""
    goal_steps: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    kind: str = "training"
    """"training" (written by our loop) or "watched" (another trainer's files)."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Head:
    """`head.json`: who may continue the run. The one file with several writers, changed only by compare-and-swap."""

    term: int
    holder: str | None
    """Session id, or None when nobody holds the run."""
    nonce: str
    """New at each write: recognises one's own write when its answer was lost."""
    sessions: tuple[str, ...] = ()
    """The ids of all sessions of this run, oldest first. Their files are `sessions/<id>.json`."""
    session_ids: dict[str, str] = field(default_factory=dict)
    """Session id -> the store's id of its file, on stores that have ids."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Annotations:
    """`annotations.json`: what the user says about a run afterwards. Written by the app only."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    deadline: datetime | None = None
    goal_steps: int | None = None
    archived: bool = False
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Deletion:
    """One checkpoint that is to go: from `at` on it does not count as durable. Its files go later, if nothing else names them."""

    key: str
    """Key of its manifest."""
    at: datetime
    removed: bool = False
    """The holder has taken it up; while False it is only asked for."""
    files: tuple[str, ...] = ()
    """Names in the pool that its manifest held and that still have to be looked at."""


@dataclass(frozen=True, slots=True)
class Deletions:
    """`deletions/<writer>.json`: what an app asks to remove, or what a session that holds the run is removing. One writer each."""

    by: str
    entries: tuple[Deletion, ...] = ()
    format: int = FORMAT
