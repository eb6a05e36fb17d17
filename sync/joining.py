"""Joins a run: finds or creates it, ships what a dead kernel left, claims it, and opens this session's files. Used by the front
door and by the watcher alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.errors import (
    AmbiguousRunError,
    ConflictError,
    FormatError,
    HeldElsewhereError,
    NotFoundError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from batonpass.core.metrics.log import MetricLog
from batonpass.core.model import Head, Host, Root, RunInfo, Session
from batonpass.core.storage import ABSENT, Store
from batonpass.sync.handover import Patience, claim, empty_head, join_as_branch
from batonpass.sync.identity import mark_host
from batonpass.sync.journal import Journal
from batonpass.sync.leftovers import ship_leftovers
from batonpass.sync.local import LocalSession, create_local_session, run_home
from batonpass.sync.mirror import Mirror
from batonpass.sync.reading import read_annotations, read_head, read_run_info
from batonpass.sync.root import open_root
from batonpass.sync.session import SessionWriter
from batonpass.sync.twins import find_run


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which run a session wants to join, and as what."""

    name: str
    account: str = ""
    goal_steps: int | None = None
    run_id: str | None = None
    """With an id the run must exist: a start with ids never creates."""
    root_id: str | None = None
    takeover: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    kind: str = "training"
    compress: bool = False
    """What this session sends, and what was left here, is packed first."""


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
    with _one_at_a_time(home, root.root_id, naming.slugify(wanted.name)):
        folder, info, created = _find_or_create(store, wanted, session, must_exist=must_exist)
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
    joined.head = join_as_branch(joined.store, joined.folder, joined.session)
    joined.writer.publish()


def _find_or_create(store: Store, wanted: Wanted, session: str, *, must_exist: bool) -> tuple[str, RunInfo, bool]:
    found = _find(store, wanted, must_exist=must_exist)
    if found is not None and not _is_half_created(store, found, must_exist=must_exist):
        return found, read_run_info(store, found), False
    folder, info, created = _create(store, wanted, session, found)
    counting = _find_again(store, wanted) if created else None
    if counting is None or counting == folder:
        return folder, info, created
    return (
        counting,
        read_run_info(store, counting),
        False,
    )  # somebody began it at the same time: both of us find that one


def _find_again(store: Store, wanted: Wanted) -> str | None:
    """The run of this name that counts, right after one was created; None where that cannot be told: `ActiveSession` looks again later."""
    try:
        return _find(store, wanted, must_exist=False)
    except AmbiguousRunError:
        return None


def _find(store: Store, wanted: Wanted, *, must_exist: bool) -> str | None:
    try:
        return find_run(store, wanted.name, run_id=wanted.run_id)
    except RunNotFoundError:
        if must_exist:
            raise
        return None


def _changed_goal(store: Store, folder: str) -> int | None:
    try:
        return read_annotations(store, folder).goal_steps
    except FormatError:
        return None  # the app names the damaged file; it must not keep anybody from training


def _is_half_created(store: Store, folder: str, *, must_exist: bool) -> bool:
    """Its creator died before `run.json`, which comes last. On a mount the file may only not have arrived: never guessed there."""
    if must_exist or not store.properties.proves_arrival:
        return False
    try:
        store.stat(naming.run_file(folder))
    except NotFoundError:
        return True
    return False


def _create(store: Store, wanted: Wanted, session: str, folder: str | None) -> tuple[str, RunInfo, bool]:
    """The run's folder and record, and whether they are ours: another creator may finish a half-created folder first."""
    if not wanted.name.strip():
        raise UsageError("a run needs a name", hint='for example start("cats-v2")')
    folder = folder or naming.run_folder(naming.slugify(wanted.name), naming.new_run_id())
    slug, run_id = naming.parse_run_folder(folder.removeprefix(naming.RUNS_FOLDER).rstrip("/")) or ("", "")
    info = RunInfo(
        run_id=run_id,
        name=wanted.name,
        slug=slug,
        created_at=datetime.now(UTC),
        created_by=session,
        goal_steps=wanted.goal_steps,
        config=wanted.config,
        kind=wanted.kind,
    )
    try:
        content = encode(info)
    except ValueError as error:
        raise UsageError(
            f"config holds something that JSON has no word for: {error}", hint="use numbers, texts, lists and dicts"
        ) from error
    store.put(f"{folder}README.txt", README.encode())
    with contextlib.suppress(ConflictError):
        store.put(naming.head_file(folder), encode(empty_head()), expect=ABSENT)
    try:
        store.put(naming.run_file(folder), content, expect=ABSENT)
    except ConflictError:
        return folder, read_run_info(store, folder), False
    return folder, info, True


@contextlib.contextmanager
def _one_at_a_time(home: Path, root_id: str, slug: str) -> Any:
    """Two kernels of this machine never create one run twice."""
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{root_id}-{slug}.lock")
    try:
        with lock.acquire(timeout=600):
            yield
    except Timeout:
        raise HeldElsewhereError(
            "another process on this machine has been starting this run for ten minutes",
            hint="look for a hanging notebook and restart it",
        ) from None


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


README = """This folder is one training run, kept by Batonpass.

run.json        what it is: name, goal, configuration
head.json       which session may continue it
sessions/       one file per notebook session: where it ran, how far it came, which checkpoints it published
checkpoints/    one manifest per checkpoint: every file's name, size and sha256, and its name in files/
files/          the checkpoints' files. They are plain: .safetensors opens with the safetensors library, .json with anything
metrics/        the numbers that were logged, as Parquet files
notes/          what was noted about the run

To open a checkpoint without Batonpass: take its manifest, find each file under files/ by the name given as "pool"
(one that ends in .zst is packed: `batonpass restore` or docs/FORMAT.md unpacks it), check its sha256, and load model.safetensors with safetensors.torch.load_file.
"""
