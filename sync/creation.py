"""Which run a session means, and how one is made where there is none: its folder, `head.json`, and `run.json` last. Holding it and
opening a session's files is `sync.joining`'s affair.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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
    HeldElsewhereError,
    NotFoundError,
    RunNotFoundError,
    UsageError,
)
from batonpass.core.model import RunInfo
from batonpass.core.storage import ABSENT, Store
from batonpass.sync.handover import empty_head
from batonpass.sync.reading import hint_with_lag, read_run_info
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
    takeover: bool | str = False
    config: dict[str, Any] = field(default_factory=dict)
    kind: str = "training"
    compress: bool = False
    """What this session sends, and what was left here, is packed first."""


def find_or_create(store: Store, wanted: Wanted, session: str, *, must_exist: bool) -> tuple[str, RunInfo, bool]:
    """The run's folder, its record, and whether both are new. RunNotFoundError where it must exist and does not; AmbiguousRunError;
    NotFoundError where the folder is there and one of its first files is not yet.
    """
    found = _find(store, wanted, must_exist=must_exist)
    if found is not None and not _is_half_created(store, found, must_exist=must_exist):
        return found, _read_whole(store, found), False
    folder, info, created = _create(store, wanted, session, found)
    counting = _find_again(store, wanted) if created else None  # of two begun at the same time both of us find one
    if counting is None or counting == folder:
        return folder, info, created
    return counting, read_run_info(store, counting), False


@contextlib.contextmanager
def one_at_a_time(home: Path, root_id: str, slug: str) -> Iterator[None]:
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


def _read_whole(store: Store, folder: str) -> RunInfo:
    """The record of a run that has its head too. It is looked for before anything of the new session is written."""
    try:
        store.stat(naming.head_file(folder))
        return read_run_info(store, folder)
    except NotFoundError as error:
        error.hint = hint_with_lag(store, "look what became of it: a run has a run.json and a head.json")
        raise


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


README = """This folder is one training run, kept by Batonpass.

run.json        what it is: name, goal, configuration
head.json       which session may continue it
sessions/       one file per notebook session: where it ran, how far it came, which checkpoints it published
checkpoints/    one manifest per checkpoint: every file's name, size and sha256, and its name in files/
files/          the checkpoints' files. They are plain: .safetensors opens with the safetensors library, .json with anything
metrics/        the numbers that were logged, as Parquet files
notes/          what was noted about the run

To open a checkpoint without Batonpass: take its manifest, find each file under files/ by the name given as "pool"
(one that ends in .zst is packed: `batonpass restore` gives you the plain file), check its sha256, and load
model.safetensors with safetensors.torch.load_file.
"""
