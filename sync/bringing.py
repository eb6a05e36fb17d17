"""Brings a checkpoint back as plain files in a folder of the user's: nothing is loaded, nothing is overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batonpass.core.errors import CorruptCheckpointError, NotFoundError, NothingToRestoreError, UsageError
from batonpass.core.files import durable_rename, sync_folder
from batonpass.core.lineage import Candidate, resume_candidates
from batonpass.core.model import Manifest
from batonpass.core.storage import Store
from batonpass.sync.local import MANIFEST
from batonpass.sync.reading import RunFiles
from batonpass.sync.restore import RestoreProgress, fetch_checkpoint

ARRIVING = ".batonpass-arriving"
"""In the user's folder: what a restore that was cut off had brought by then. The next one into the same folder continues it."""
_WHOLE = "whole"
_MOVING = "moving.json"


@dataclass(frozen=True, slots=True)
class Brought:
    """A checkpoint's files on this disk. `skipped` says, a sentence each, what was passed over for it."""

    path: Path
    manifest: Manifest
    skipped: tuple[str, ...] = ()


def bring_back(
    store: Store,
    run: RunFiles,
    to: Path,
    *,
    step: int | None = None,
    say: Callable[[str], None] = lambda _line: None,
    progress: RestoreProgress | None = None,
) -> Brought:
    """Write the newest durable checkpoint of the run's lineage (or one of `step`) into `to`, a new or empty folder.

    Its files have their own names; `manifest.json` comes last, so a folder with it is whole. Every byte is compared with the
    manifest. Without `step` a damaged or missing checkpoint is passed over for the next older one, and said. UsageError when the
    folder holds anything or there is no such step; NothingToRestoreError when nothing could be brought back; with `step`,
    CorruptCheckpointError or NotFoundError as it is. A store that does not answer raises: nothing older is taken for it.
    """
    check_empty(to)
    skipped: list[str] = []
    for candidate in choose(run, step):
        if candidate.passed_over and step is None:
            skipped.append(f"step {candidate.step:,} was passed over: {candidate.passed_over}")
        else:
            try:
                manifest = _fetch_into(store, run.folder, candidate, to, progress)
            except (CorruptCheckpointError, NotFoundError) as error:
                if step is not None:
                    raise
                skipped.append(f"step {candidate.step:,} was passed over: {error.message}")
            else:
                return Brought(to, manifest, tuple(skipped))
        say(f"batonpass: {skipped[-1]}")
    raise NothingToRestoreError(
        f"no checkpoint of {run.info.name} can be brought back" + "".join(f"\n  - {reason}" for reason in skipped),
        hint="`batonpass status` lists what has been published"
        if skipped
        else "none has been published yet: wait for the first one",
    )


def choose(run: RunFiles, step: int | None) -> list[Candidate]:
    """The checkpoints to try, best first: the lineage's, or all of `step` with those of branches last. UsageError: no such step."""
    sessions = [s.session for s in run.sessions]
    found = resume_candidates(run.head, sessions, deleted=run.deleted, arrived=run.arrived)
    if step is None:
        return found
    every = {c.key: c for c in found}
    for session in sessions:
        for candidate in resume_candidates(
            run.head, sessions, deleted=run.deleted, arrived=run.arrived, tip=session.id
        ):
            every.setdefault(candidate.key, candidate)
    wanted = [c for c in every.values() if c.step == step]
    if not wanted:
        steps = sorted({c.step for c in every.values()}, reverse=True)
        there = ", ".join(f"{s:,}" for s in steps[:12]) + (" ..." if len(steps) > 12 else "")
        raise UsageError(
            f"no checkpoint of step {step:,} has been published",
            hint=f"there are: {there}" if there else "none has been published yet",
        )
    return wanted[:1]


def check_empty(to: Path) -> None:
    """UsageError unless `to` is a new or an empty folder, or holds nothing but what a restore that was cut off left."""
    if to.is_dir() and {path.name for path in to.iterdir()} <= {ARRIVING, *_being_moved(to)}:
        return
    if to.exists() or to.is_symlink():
        raise UsageError(f"{to} is not empty; nothing is overwritten", hint="name a new or an empty folder with --to")


def _being_moved(to: Path) -> list[str]:
    """The names that a restore was moving into their places when it was cut off."""
    try:
        names = json.loads((to / ARRIVING / _MOVING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return (
        [name for name in names if isinstance(name, str) and Path(name).name == name] if isinstance(names, list) else []
    )


def _take_back(to: Path) -> None:
    """Put what was moved already beside what was not, so that all of it is checked again."""
    whole = next((to / ARRIVING / _WHOLE).glob("*/"), None)
    if whole is None:
        return
    for name in _being_moved(to):
        if (to / name).exists() and not (whole / name).exists():
            durable_rename(to / name, whole / name)


def _fetch_into(
    store: Store, folder: str, candidate: Candidate, to: Path, progress: RestoreProgress | None
) -> Manifest:
    made = not to.exists()
    to.mkdir(parents=True, exist_ok=True)
    arriving = to / ARRIVING
    _take_back(to)
    try:
        arrived, manifest = fetch_checkpoint(
            store, folder, candidate.listing, arriving / _WHOLE, partials=arriving, progress=progress
        )
    except BaseException:
        if not any(path.is_file() and path.suffix != ".lock" for path in arriving.rglob("*")):
            shutil.rmtree(arriving, ignore_errors=True)  # nothing to continue
            if made and not any(to.iterdir()):
                to.rmdir()
        raise
    whole = sorted(arrived.iterdir(), key=lambda path: path.name == MANIFEST)
    (arriving / _MOVING).write_text(json.dumps([each.name for each in whole]), encoding="utf-8")
    for each in whole:
        durable_rename(each, to / each.name)
    sync_folder(to)
    shutil.rmtree(arriving, ignore_errors=True)
    return manifest
