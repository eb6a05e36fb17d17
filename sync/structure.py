"""Whether a checkpoint file of any trainer is structurally whole, without loading it: no pickle is ever opened."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".keras", ".h5")
"""Single files that are taken for checkpoints."""
HF_FOLDER = re.compile(r"checkpoint-\d+")
"""A folder as the Hugging Face Trainer names it."""
INCOMPLETE_MARKER = "checkpoint-is-incomplete.txt"
_HEADER_LIMIT_BYTES = 100_000_000
_HDF5 = b"\x89HDF\r\n\x1a\n"


def why_not_whole(path: Path) -> str:
    """Empty for a whole file or folder, else why not, in a few words. OSError as reading gives it."""
    if not path.is_dir():
        return _why_not_whole_file(path)
    return (_why_unfinished(path) if HF_FOLDER.fullmatch(path.name) else "") or _why_not_whole_inside(path)


def can_be_checked(path: Path) -> bool:
    """False for torch's format before 1.6, a bare pickle: where it ends only its loader knows."""
    return not _starts_with(path, b"\x80")


def _why_not_whole_file(path: Path) -> str:
    checks: dict[str, Callable[[Path], str]] = {
        ".safetensors": _safetensors,
        ".keras": _keras,
        ".h5": _hdf5,
        ".json": _json,
        ".pt": _torch,
        ".pth": _torch,
        ".ckpt": _torch,
        ".bin": _torch,
    }
    check = checks.get(path.suffix.lower())
    return check(path) if check else ""


def _why_unfinished(folder: Path) -> str:
    """As the Hugging Face Trainer writes it: `trainer_state.json` comes last."""
    if (folder / INCOMPLETE_MARKER).exists():
        return f"{INCOMPLETE_MARKER} says that it is still written"
    if not (folder / "trainer_state.json").is_file():
        return "trainer_state.json, which comes last, is not there"
    return ""


def _why_not_whole_inside(folder: Path) -> str:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if reason := _why_not_whole_file(path):
            return f"{path.relative_to(folder)}: {reason}"
        if path.name.endswith(".index.json") and (lost := _shards_missing(path)):
            return f"{path.name} names {lost}, which is not there"
    return ""


def _safetensors(path: Path) -> str:
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return "shorter than its header"
        (length,) = struct.unpack("<Q", start)
        if length > min(_HEADER_LIMIT_BYTES, size_bytes - 8):
            return "its header is cut off"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            end = max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return "its header cannot be read"
    return "" if 8 + length + end == size_bytes else "its header does not cover the file"


def _torch(path: Path) -> str:
    if _starts_with(path, b"PK"):
        return _zip(path)
    if _starts_with(path, b"\x80"):
        return ""
    return "neither a zip nor a pickle, as torch writes them"


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        struct.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        return f"not a whole zip file: {error}"
    return f"the zip entry {bad} is damaged" if bad else ""


def _keras(path: Path) -> str:
    """Keras 3 keeps the model's build plan and its weights (the optimizer's among them) in one zip."""
    if reason := _zip(path):
        return reason
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "config.json" not in names:
        return "config.json is not in it"
    return "" if any(name.startswith("model.weights") for name in names) else "model.weights.h5 is not in it"


def _hdf5(path: Path) -> str:
    """The superblock says where the file ends (HDF5 File Format Specification, II.A)."""
    with path.open("rb") as file:
        block = file.read(96)
    if not block.startswith(_HDF5) or len(block) < 48:
        return "not an HDF5 file"
    version = block[8]
    width, base = (block[13], 24 + 4 * (version == 1)) if version < 2 else (block[9], 12)
    end = int.from_bytes(block[base + 2 * width : base + 3 * width], "little")
    return "" if width in (4, 8) and path.stat().st_size >= end > 0 else "shorter than its superblock says"


def _json(path: Path) -> str:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return "not whole JSON"
    return ""


def _shards_missing(index: Path) -> str:
    tree = json.loads(index.read_bytes())
    names = tree.get("weight_map", {}) if isinstance(tree, dict) else {}
    shards = set(names.values()) if isinstance(names, dict) else set()
    return next((str(name) for name in sorted(map(str, shards)) if not (index.parent / name).is_file()), "")


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark
