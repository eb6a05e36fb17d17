"""A snapshot becomes a checkpoint folder: written aside, brought to the disk, then given its name in one step. Nothing is ever half there."""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

from batonpass.core.errors import CheckpointError, UsageError
from batonpass.core.files import (
    TEMP_PREFIX,
    durable_rename,
    hash_bytes,
    make_folders,
    sync_file,
    sync_folder,
    temp_path,
)
from batonpass.core.manifest_file import encode_manifest
from batonpass.core.model.checkpoint import FileEntry, Manifest, TensorEntry
from batonpass.core.naming import checkpoint_name
from batonpass.core.training.frozen import Written
from batonpass.core.training.safetensors_file import DTYPES, write_safetensors
from batonpass.core.training.snapshot import Snapshot

MANIFEST_FILE = "manifest.json"
TRAINER_FILE = "trainer.json"


def write_checkpoint(snapshot: Snapshot, parent: Path, draft: Manifest) -> tuple[Path, Manifest]:
    """Write the checkpoint under `parent`, named by `core.naming.checkpoint_name`; returns its folder and its whole manifest.

    `draft` says whose checkpoint it is; files, tensors, data position, environment and what is missing are filled in from the snapshot.
    After any error (OSError for a full disk, CheckpointError for a torn snapshot) nothing of it is left and older checkpoints are untouched.
    UsageError when the name is taken.
    The snapshot stays held: releasing it is its owner's work.
    """
    final = parent / checkpoint_name(draft.step, draft.session, draft.attempt)
    if final.exists():
        raise UsageError(f"a checkpoint of this name exists: {final.name}", hint="count `attempt` up for each save")
    make_folders(parent)
    temp = temp_path(final)
    try:
        temp.mkdir()
        files, tensors = _write_tensors(snapshot, temp)
        files.append(_write_file(temp / TRAINER_FILE, json.dumps(snapshot.trainer, indent=1).encode()))
        manifest = _fill(draft, snapshot, files, tensors)
        _write_file(temp / MANIFEST_FILE, encode_manifest(manifest))
        sync_folder(temp)
        _refuse_torn(snapshot)
        durable_rename(temp, final)
    except Exception:
        shutil.rmtree(temp, ignore_errors=True)
        raise
    return final, manifest


def written_tensors(snapshot: Snapshot, manifest: Manifest) -> Written:
    """What was written of a snapshot, by file, for `Attached.observe`."""
    sizes = {(file, t.name): t.size_bytes for file, tensors in snapshot.files.items() for t in tensors}
    written: dict[str, dict[str, tuple[str, int]]] = {file: {} for file in snapshot.files}
    for entry in manifest.tensors:
        written[entry.file][entry.name] = (entry.xxh3, sizes[entry.file, entry.name])
    for file, seconds in snapshot.aliases.items():
        written[file] |= {second: written[file][first] for second, first in seconds.items()}
    return written


def clear_half_written(parent: Path, *, older_than_s: float = 3600.0, now: float | None = None) -> int:
    """Remove what a killed writer left under `parent`; returns how many folders. Younger ones may belong to a living writer."""
    limit = (time.time() if now is None else now) - older_than_s
    leftovers = [p for p in parent.glob(f"{TEMP_PREFIX}*") if p.is_dir() and p.stat().st_mtime <= limit]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


def _refuse_torn(snapshot: Snapshot) -> None:
    if snapshot.torn:
        raise CheckpointError(
            "the training went on while it was being written", hint="the next save takes the state as a whole again"
        )


def _write_tensors(snapshot: Snapshot, folder: Path) -> tuple[list[FileEntry], list[TensorEntry]]:
    files, entries = [], []
    for name, tensors in snapshot.files.items():
        digest, hashes = write_safetensors(folder / name, tensors, snapshot.aliases.get(name, {}))
        files.append(FileEntry(name, "", digest.size_bytes, digest.sha256, digest.md5))
        entries += [
            TensorEntry(name, t.name, DTYPES[t.dtype], t.shape, xxh3=xxh3)
            for t, xxh3 in zip(tensors, hashes, strict=True)
        ]
    return files, entries


def _write_file(path: Path, body: bytes) -> FileEntry:
    with path.open("xb") as file:
        file.write(body)
        sync_file(file)
    digest = hash_bytes(body)
    return FileEntry(path.name, "", digest.size_bytes, digest.sha256, digest.md5)


def _fill(draft: Manifest, snapshot: Snapshot, files: list[FileEntry], tensors: list[TensorEntry]) -> Manifest:
    return replace(
        draft,
        files=tuple(files),
        tensors=tuple(tensors),
        data=snapshot.position,
        environment={**draft.environment, **snapshot.environment},
        missing=(*draft.missing, *snapshot.missing),
        metrics={k: v for k, v in draft.metrics.items() if math.isfinite(v)},  # JSON has no number for a loss of NaN
    )
