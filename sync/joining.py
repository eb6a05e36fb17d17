"""Joins a run: ships what a dead kernel left, claims it, and opens this session's files. Used by the front door and by the watcher
alike. Which run it is, and how one is made, is `sync.creation`'s affair.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from batonpass.core import naming
from batonpass.core.errors import FormatError, HeldElsewhereError, StoreError
from batonpass.core.metrics.log import MetricLog
from batonpass.core.model import Head, Host, Root, RunInfo, Session
from batonpass.core.storage import Store
from batonpass.sync.creation import Wanted, find_or_create, one_at_a_time
from batonpass.sync.handover import Patience, claim, join_as_branch
from batonpass.sync.identity import mark_host
from batonpass.sync.journal import Journal
from batonpass.sync.leftovers import ship_leftovers
from batonpass.sync.local import LocalSession, create_local_session, run_home
from batonpass.sync.mirror import Mirror
from batonpass.sync.reading import read_annotations, read_head
from batonpass.sync.root import open_root
from batonpass.sync.session import SessionWriter


@dataclass(slots=True)
class Joined:
    """Everything that belongs to one session of a run while it is open on this machine."""

    store: Store
    root: Root
    folder: str
    info: RunInfo
    goal_steps: int | None
    """What the app was told last, else what this start said, else what the run was created with."""
    head: Head
    local: LocalSession
    lock: FileLock
    journal: Journal
    log: MetricLog
    writer: SessionWriter
    created: bool
    """The run was created just now."""
    leftovers: list[LocalSession] = field(default_factory=list)
    compress: bool = False
    """What is sent is packed first."""

    @property
    def session(self) -> str:
        """This session's id."""
        return self.local.session

    @property
    def store_id(self) -> str | None:
        """The store's id of this session's file, where there are ids."""
        return self.head.session_ids.get(self.session)

    def close(self) -> None:
        """Close the files of this session on this machine and let go of its lock."""
        self.log.close()
        self.journal.close()
        self.lock.release()


def join_run(
    store: Store,
    wanted: Wanted,
    *,
    home: Path,
    host: Host,
    patience: Patience,
    record: Callable[[Session], Session] = lambda s: s,
) -> Joined:
    """Join a run as a new session. `record` may fill in what else is known of the session before it is first written.

    Errors: NotOurFolderError, RunNotFoundError (ids that lead nowhere), AmbiguousRunError, HeldElsewhereError, any StoreError.
    Nothing is created on the store unless all that comes before has succeeded.
    """
    must_exist = wanted.run_id is not None or wanted.root_id is not None
    root = open_root(store, create=not must_exist, root_id=wanted.root_id)
    session = naming.new_session_id(datetime.now(UTC))
    with one_at_a_time(home, root.root_id, naming.slugify(wanted.name)):
        folder, info, created = find_or_create(store, wanted, session, must_exist=must_exist)
    changed_goal = None if created else _changed_goal(store, folder)
    journal = Journal(run_home(home, root.root_id, info.run_id) / "journal.sqlite")
    leftovers = ship_leftovers(
        store,
        folder,
        home,
        root_id=root.root_id,
        run_id=info.run_id,
        mirror=Mirror(store, folder, journal, compress=wanted.compress),
        say=patience.say,
    )
    local, lock = create_local_session(home, root.root_id, info.run_id, session, store_url=store.url, folder=folder)
    log = MetricLog(local.metrics)
    now = datetime.now(UTC)
    marked = mark_host(host, home, session)
    first = record(Session(session, info.run_id, 0, wanted.account, marked, started_at=now, heartbeat_at=now))
    ids = store.new_ids(1)
    store_id = ids[0] if ids else None
    writer = SessionWriter(store, folder, first, log.read, store_id=store_id)
    goal_steps = changed_goal or wanted.goal_steps or info.goal_steps
    joined = Joined(
        store, root, folder, info, goal_steps, Head(0, None, ""), local, lock, journal, log, writer, created, leftovers
    )
    joined.compress = wanted.compress
    try:
        writer.create()
        joined.head = claim(
            store, folder, session, host, takeover=wanted.takeover, patience=patience, store_id=store_id
        )
        writer.change(term=joined.head.term)
        writer.publish()
    except BaseException as error:
        _undo(joined, error)
        raise
    return joined


def leave_as_branch(joined: Joined, why: str) -> None:
    """Go on as a branch: this session's file says so, and the run is free for others."""
    joined.writer.change(branch=why)
    joined.head = join_as_branch(joined.store, joined.folder, joined.session, store_id=joined.store_id)
    joined.writer.publish()


def _changed_goal(store: Store, folder: str) -> int | None:
    try:
        return read_annotations(store, folder).goal_steps
    except FormatError:
        return None  # the app names the damaged file; it must not keep anybody from training


def _undo(joined: Joined, error: BaseException) -> None:
    """The run was not ours to take: leave no file that looks like a session of it. Where it was ours for a moment, or may have been,
    its folder on this machine stays: the next start here says on the store that this session ended.
    """
    was_ours = not isinstance(error, HeldElsewhereError) and _may_be_named(joined, error)
    if not was_ours:
        with contextlib.suppress(StoreError):
            joined.store.delete(joined.writer.key)
    joined.close()
    if not was_ours:
        joined.local.remove()


def _may_be_named(joined: Joined, error: BaseException) -> bool:
    if isinstance(error, StoreError):
        return True  # a lost answer; asking a store that does not answer once more would only take time
    try:
        return joined.session in read_head(joined.store, joined.folder)[0].sessions
    except (StoreError, FormatError):
        return True
