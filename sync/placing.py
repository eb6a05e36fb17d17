"""Puts the newest durable checkpoint of a watched run back where its trainer looks for it: under its own names, in the output folder.

Nothing of the user's is ever removed: what stands in a checkpoint's place and is not it is moved aside, into a hidden folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock

from batonpass.core import naming
from batonpass.core.errors import CorruptCheckpointError, NotFoundError, UsageError
from batonpass.core.files import durable_rename, hash_file, make_folders, temp_path
from batonpass.core.lineage import Candidate
from batonpass.core.model import Manifest, ResumeRecord
from batonpass.core.storage import Store
from batonpass.sync.bringing import ARRIVING, bring_back, choose
from batonpass.sync.reading import RunFiles, read_manifest
from batonpass.sync.structure import HF_FOLDER

_STAGING = ".batonpass-resume"
ASIDE = ".batonpass-aside"
"""In the output folder: what stood where a checkpoint belongs."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A checkpoint in its trainer's folder."""

    path: Path
    """The file or folder that its trainer resumes from."""
    manifest: Manifest
    record: ResumeRecord
    """Where that is, for the session that goes on from it."""


def place_newest(store: Store, run: RunFiles, folder: Path, *, say: Callable[[str], None]) -> Placed:
    """Bring the newest durable checkpoint that is whole into `folder` (made), or find that it lies there already.

    Several processes of one machine may ask at once: one brings it, the others find it there. Errors: as `bring_back`; UsageError
    for a checkpoint that is not another trainer's.
    """
    make_folders(folder.absolute())
    with FileLock(folder / f"{_STAGING}.lock"):
        here = _already_here(store, run, folder)
        if here is not None:
            return here
        staging = folder / _STAGING
        if staging.is_dir() and any(path.name != ARRIVING for path in staging.iterdir()):
            shutil.rmtree(staging)  # a former call was cut off while it moved files; all of them are still on the store
        brought = bring_back(store, run, staging, say=say)
        placed = _placed(run, folder, brought.manifest, brought.skipped)
        for unit in _units(brought.manifest):
            _move(staging / unit, folder / unit, folder)
        shutil.rmtree(staging, ignore_errors=True)
        return placed


def _already_here(store: Store, run: RunFiles, folder: Path) -> Placed | None:
    """The checkpoint that would be brought, where this folder holds every byte of it: only its manifest is read."""
    candidates = choose(run, None)
    if not candidates or candidates[0].passed_over:
        return None
    manifest = _manifest_of(store, candidates[0])
    if manifest is None or not all(_is_there(folder / e.name, e.size_bytes, e.sha256) for e in manifest.files):
        return None
    for entry in manifest.files:
        os.utime(folder / entry.name)  # the newest of its family again: what else lies there is not mistaken for it
    return _placed(run, folder, manifest, ())


def _manifest_of(store: Store, candidate: Candidate) -> Manifest | None:
    try:
        return read_manifest(store, candidate.key, store_id=candidate.listing.id)
    except (NotFoundError, CorruptCheckpointError):
        return None  # the whole way back finds out what is to be said about it


def _is_there(path: Path, size_bytes: int, sha256: str) -> bool:
    try:
        return path.stat().st_size == size_bytes and hash_file(path).sha256 == sha256
    except OSError:
        return False


def _placed(run: RunFiles, folder: Path, manifest: Manifest, skipped: tuple[str, ...]) -> Placed:
    source = manifest.data.get("source")
    names = {entry.name for entry in manifest.files}
    if not isinstance(source, str) or not (
        source in names or any(name.startswith(f"{source.rstrip('/')}/") for name in names)
    ):
        raise UsageError(
            f"the newest checkpoint of {run.info.name} is not one that a trainer wrote into a watched folder",
            hint="`batonpass restore` brings its files back",
        )
    naming.check_file_name(source)
    key = naming.manifest_file(run.folder, manifest.step, manifest.session, manifest.attempt)
    record = ResumeRecord(manifest.session, key, manifest.step, manifest.metric_rows, skipped=skipped)
    return Placed(folder / source, manifest, record)


def _units(manifest: Manifest) -> list[PurePosixPath]:
    """What is moved as one: a `checkpoint-<n>` folder as a whole, so that nothing of an older one stays in it, else single files."""
    return list(dict.fromkeys(_unit(PurePosixPath(entry.name)) for entry in manifest.files))


def _unit(name: PurePosixPath) -> PurePosixPath:
    for depth, part in enumerate(name.parts[:-1], start=1):
        if HF_FOLDER.fullmatch(part):
            return PurePosixPath(*name.parts[:depth])
    return name


def _move(source: Path, target: Path, folder: Path) -> None:
    if target.exists() or target.is_symlink():
        aside = folder / ASIDE / temp_path(target).name.lstrip(".") / target.name
        make_folders(aside.parent)
        durable_rename(target, aside)
    make_folders(target.parent)
    durable_rename(source, target)
