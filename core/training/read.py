"""A checkpoint folder, opened only after every byte of it was found to be what the manifest says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from batonpass.core.errors import CheckpointMismatchError, CorruptCheckpointError, FormatError
from batonpass.core.files import Digest, hash_file
from batonpass.core.manifest_file import decode_manifest
from batonpass.core.model.checkpoint import FileEntry, Manifest
from batonpass.core.naming import check_key
from batonpass.core.training.commit import MANIFEST_FILE, TRAINER_FILE
from batonpass.core.training.decoder import Decoder

_HINT = "an older checkpoint can be used instead; this one was left as it is"


def _sha256_of(path: Path) -> Digest:
    return hash_file(path, md5=False)


@dataclass(slots=True)
class Loaded:
    """A verified checkpoint. Tensors are memory-mapped and read when asked for."""

    folder: Path
    manifest: Manifest
    trainer: dict[str, Any]
    """`trainer.json`, not decoded."""
    _open: dict[str, Any] = field(default_factory=dict)
    place: Callable[[str, str, torch.Tensor], torch.Tensor] = lambda _file, _name, tensor: tensor
    """What becomes of (file, name, tensor) before it is handed out: of a sharded one only this process's part is."""

    def objects(self) -> dict[str, Any]:
        """Name -> {"type", "tree"} of every stored object, not decoded."""
        found = self.trainer.get("objects")
        if not isinstance(found, dict) or not all(
            isinstance(o, dict) and {"type", "tree"} <= o.keys() for o in found.values()
        ):
            raise FormatError(f"{TRAINER_FILE} is not what its name promises", hint=_HINT)
        return found

    def decode(self, tree: Any, *, copies: bool) -> Any:
        """A tree of `trainer` with its tensors; `copies=False` leaves them in the mapped file (read them, never keep or change them)."""
        return Decoder((lambda f, n: self.tensor(f, n).clone()) if copies else self.tensor).decode(tree)

    def tensor(self, file: str, name: str) -> torch.Tensor:
        """One tensor, in the mapped file: read it, never keep or change it. CorruptCheckpointError when there is none of that name."""
        if file not in self._open:
            if file not in {f.name for f in self.manifest.files}:
                raise CorruptCheckpointError(
                    f"{TRAINER_FILE} speaks of {file!r}, which is not in the manifest", hint=_HINT
                )
            self._open[file] = _open_tensors(self.folder / file)
        try:
            tensor: torch.Tensor = self._open[file].get_tensor(name)
        except SafetensorError as error:
            raise CorruptCheckpointError(f"{file} has no tensor {name!r} ({error})", hint=_HINT) from error
        return self.place(file, name, tensor)


def read_checkpoint(folder: Path) -> Loaded:
    """Verify and open a checkpoint folder.

    CorruptCheckpointError (said by two readings) when a file is missing, empty, cut off or changed; CheckpointMismatchError for another
    trainer's files; FormatError for a newer format; OSError when reading itself fails, which says nothing about the checkpoint.
    """
    manifest = read_manifest(folder)
    if manifest.kind != "training":
        raise CheckpointMismatchError(
            "these are another trainer's files, kept as they are", hint="bring them back with batonpass restore"
        )
    for entry in manifest.files:
        verify_file(folder, entry)
    try:
        trainer = json.loads((folder / TRAINER_FILE).read_bytes())
    except (ValueError, RecursionError, FileNotFoundError) as error:
        raise CorruptCheckpointError(f"{TRAINER_FILE} cannot be read ({error})", hint=_HINT) from error
    if not isinstance(trainer, dict):
        raise FormatError(f"{TRAINER_FILE} is not what its name promises", hint=_HINT)
    return Loaded(folder, manifest, trainer)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint folder; CorruptCheckpointError when there is none that can be read."""
    try:
        data = (folder / MANIFEST_FILE).read_bytes()
    except FileNotFoundError:
        raise CorruptCheckpointError(
            f"{folder.name} has no {MANIFEST_FILE}: it is no checkpoint, or was never finished", hint=_HINT
        ) from None
    if not data:
        raise CorruptCheckpointError(f"{folder.name}/{MANIFEST_FILE} is empty (0 bytes)", hint=_HINT)
    return decode_manifest(data, key=f"{folder.name}/{MANIFEST_FILE}")


def verify_file(folder: Path, entry: FileEntry, *, hash_it: Callable[[Path], Digest] = _sha256_of) -> None:
    """Compare one file with its manifest entry; only a second reading that also differs makes it corrupt (CorruptCheckpointError)."""
    path = folder / check_key(entry.name)
    for reading in range(2):
        try:
            found = hash_it(path)
        except FileNotFoundError:
            found = None
        if found is not None and (found.size_bytes, found.sha256) == (entry.size_bytes, entry.sha256):
            return
        if reading:
            raise CorruptCheckpointError(_what_is_wrong(entry, found), hint=_HINT)


def _what_is_wrong(entry: FileEntry, found: Digest | None) -> str:
    if found is None:
        return f"{entry.name} is not there: the checkpoint was not copied completely, or a file was removed"
    if found.size_bytes == 0:
        return f"{entry.name} is empty (0 bytes of {entry.size_bytes:,}): the disk was full or the machine stopped while it was written"
    if found.size_bytes < entry.size_bytes:
        return f"{entry.name} is cut off: {found.size_bytes:,} of {entry.size_bytes:,} bytes are there"
    if found.size_bytes > entry.size_bytes:
        return f"{entry.name} is too long: {found.size_bytes:,} bytes where {entry.size_bytes:,} were written"
    return f"{entry.name} has the right size but other bytes than were written: it was damaged or edited"


def _open_tensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt", device="cpu")
    except SafetensorError as error:
        raise CorruptCheckpointError(f"{path.name} is no safetensors file ({error})", hint=_HINT) from error
