"""The side-car: one small safetensors file beside another trainer's checkpoint that holds what the trainer's own files lack.

Its facts are JSON in the file's metadata and are read here without torch; what is to be put back is read in `core/training/sidecar.py`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".batonpass.safetensors"
"""Ends the name of every side-car."""
INSIDE = f"sidecar{SUFFIX}"
"""Its name where the checkpoint is a folder."""
METADATA_KEY = "batonpass"
EMBEDDED_KEY = "batonpass_sidecar"
"""The key under which a side-car lies inside a checkpoint whose trainer lets callbacks add to it (Lightning)."""
FORMAT = 1
_HEADER_LIMIT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a side-car says of its checkpoint. Untrusted text throughout."""

    trainer: str
    checkpoint: str
    """Name of the file or folder that it belongs to."""
    size_bytes: int
    """Of that file, or of all files of that folder when the side-car was written. 0: inside the checkpoint itself."""
    step: int
    missing: tuple[str, ...] = ()
    """What is in neither, one sentence each."""


def sidecar_path(checkpoint: Path) -> Path:
    """Where the side-car of that file or folder lies."""
    return checkpoint / INSIDE if checkpoint.is_dir() else checkpoint.with_name(checkpoint.name + SUFFIX)


def is_sidecar(name: str) -> bool:
    """Whether a file of that name is a side-car.

    >>> is_sidecar("epoch-3.keras.batonpass.safetensors")
    True
    """
    return name.endswith(SUFFIX)


def owner_of(name: str) -> str:
    """The name of the file that a side-car belongs to.

    >>> owner_of("epoch-3.keras.batonpass.safetensors")
    'epoch-3.keras'
    """
    return name.removesuffix(SUFFIX)


def checkpoint_size(checkpoint: Path) -> int:
    """Bytes of the file, or of the folder's files without side-cars and hidden ones. OSError where one is gone."""
    if not checkpoint.is_dir():
        return checkpoint.stat().st_size
    files = (p for p in checkpoint.rglob("*") if p.is_file() and not is_sidecar(p.name) and not p.name.startswith("."))
    return sum(path.stat().st_size for path in files)


def read_facts(checkpoint: Path) -> Facts | None:
    """What the side-car of this checkpoint says; None where there is none that belongs to it: another file's, another size, or damaged."""
    try:
        facts = parse_facts(read_tree(sidecar_path(checkpoint)))
        if facts is None or facts.checkpoint != checkpoint.name or facts.size_bytes != checkpoint_size(checkpoint):
            return None
    except OSError:
        return None
    return facts


def read_tree(sidecar: Path) -> Any:
    """The JSON in the file's metadata, or None where it is no side-car. OSError where it cannot be read."""
    with sidecar.open("rb") as file:
        start = file.read(8)
        if len(start) < 8 or (length := struct.unpack("<Q", start)[0]) > _HEADER_LIMIT_BYTES:
            return None
        try:
            return json.loads(json.loads(file.read(length))["__metadata__"][METADATA_KEY])
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def parse_facts(tree: Any) -> Facts | None:
    """The facts in a side-car's JSON; None where it is not ours or of a newer format."""
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        return None
    texts = [tree.get("trainer"), tree.get("checkpoint"), *(tree.get("missing") or [])]
    numbers = [tree.get("size_bytes"), tree.get("step")]
    if not all(isinstance(t, str) for t in texts) or not all(type(n) is int and n >= 0 for n in numbers):
        return None
    return Facts(tree["trainer"], tree["checkpoint"], tree["size_bytes"], tree["step"], tuple(tree["missing"]))
