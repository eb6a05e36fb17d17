"""Reads checkpoints that other programs wrote, as plain data: safetensors, JSON, and torch files with `weights_only=True`. Never more than that."""

from __future__ import annotations

import errno
import json
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from batonpass.core.amounts import size
from batonpass.core.errors import CheckpointError, CheckpointMismatchError, CorruptCheckpointError
from batonpass.core.training.plain_numpy import settle, stand_ins

_SAFE_TORCH = (2, 10)
"""CVE-2026-24747: before 2.10 a crafted file corrupts memory even with `weights_only=True`."""
_REFUSED = re.compile(r"GLOBAL\s+([A-Za-z_][\w.]*)")
_NO_MEMORY = re.compile(r"out of memory|enough memory|allocate memory")
_OBJECT = re.compile(r"allowlisted|reduce for unrecognized|must be imported|NumPy")
_UNREADABLE = (
    *(EOFError, zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(OverflowError, RecursionError, struct.error),
)
"""What torch's reader raises, beside its own error, where a file is not what it wrote."""
_HINT_DAMAGED = "look for an older copy of the file; one whose writing was cut off cannot be mended"


@dataclass(slots=True)
class Entries:
    """What a checkpoint holds, by the names that its writer gave. `notes` says what was left unread, one sentence each."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ordered: set[Any] = field(default_factory=set)
    """Entries whose names stand as the model had them; safetensors sorts them in its own way."""


def read_entries(folder: Path, names: Iterable[str]) -> Entries:
    """The content of one file, or of the files of a Hugging Face `checkpoint-N` folder, in the same words.

    CorruptCheckpointError for an empty, cut-off or damaged file; CheckpointMismatchError for one that is not plain data.
    """
    found = Entries()
    weights: dict[str, torch.Tensor] = {}
    for name in sorted(names):
        path, leaf = folder / name, name.rsplit("/", maxsplit=1)[-1]
        if leaf.endswith(".safetensors"):
            weights |= _read_safetensors(path)
        elif leaf == "trainer_state.json":
            found.values |= _position(path)
        elif leaf in _PARTS:
            found.values[_PARTS[leaf]] = _read_torch(path)
        elif re.fullmatch(r"pytorch_model(-\d+-of-\d+)?\.bin", leaf):
            weights |= _state_dict_of(path)
        elif path.suffix.lower() in {".pt", ".pth", ".ckpt", ".bin"} and not _UNREAD.match(leaf):
            content = _read_torch(path)
            found.values |= content if _has_names(content) else {"model": content}
            found.ordered |= content.keys() if _has_names(content) else {"model"}
        elif leaf.endswith((".keras", ".h5")):
            raise CheckpointMismatchError(
                f"{name} is a Keras file; attach takes PyTorch's", hint="bring it back for Keras with batonpass restore"
            )
        elif not leaf.endswith(".json"):
            found.notes.append(f"{name} was not read")
    if weights:
        found.values["model"] = weights
    return found


def _has_names(content: Any) -> bool:
    """A dict of several things, as opposed to one state_dict."""
    return isinstance(content, dict) and not all(isinstance(v, torch.Tensor) for v in content.values())


def _state_dict_of(path: Path) -> dict[str, torch.Tensor]:
    content = _read_torch(path)
    if not isinstance(content, dict) or _has_names(content):
        raise CheckpointMismatchError(
            f"{path.name} is no state_dict", hint="adopt the file or folder that has the weights"
        )
    return content


_PARTS = {"optimizer.pt": "optimizer", "optimizer.bin": "optimizer", "scheduler.pt": "scheduler", "scaler.pt": "scaler"}
_UNREAD = re.compile(r"training_args\.bin|rng_state(_\d+)?\.pth")


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    _refuse_empty(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CorruptCheckpointError(f"{path.name} is cut off or damaged ({error})", hint=_HINT_DAMAGED) from error


def _read_torch(path: Path) -> Any:
    _refuse_empty(path)
    if tuple(int(n) for n in torch.__version__.split(".")[:2]) < _SAFE_TORCH:
        raise CheckpointMismatchError(
            f"{path.name} is a pickle, and torch {torch.__version__} does not open those safely (CVE-2026-24747)",
            hint="install torch 2.10 or newer, or convert the file to safetensors where you trust it",
        )
    try:
        with torch.serialization.safe_globals(stand_ins()), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # what a file is made like is not the user's affair; what does not load raises
            return settle(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        raise _not_plain(path, str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise _no_room(path) from error
        raise _damaged(path, error) from error
    except OSError as error:
        if (
            error.errno != errno.EINVAL
        ):  # a jump to before the start, by a number in the file; any other says nothing about the file
            raise
        raise _damaged(path, error) from error
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorruptCheckpointError:
    words = str(error).splitlines()
    return CorruptCheckpointError(
        f"{path.name} is cut off or damaged: its writing was interrupted, or it was not copied completely"
        f" ({type(error).__name__}: {words[0][:200] if words else 'no more is said'})",
        hint=_HINT_DAMAGED,
    )


def _no_room(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path.name} ({size(path.stat().st_size)}) needs more memory than is free; nothing was changed",
        hint="restart the kernel and attach before anything else is loaded, or take a machine with more memory",
    )


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise CorruptCheckpointError(
            f"{path.name} is empty (0 bytes): the disk was full, or the machine stopped while it was written",
            hint=_HINT_DAMAGED,
        )


def _not_plain(path: Path, why: str) -> CheckpointMismatchError:
    refused = _REFUSED.search(why)
    if refused is None and not _OBJECT.search(why):
        return CheckpointMismatchError(
            f"{path.name} cannot be read as plain data: damaged, or not written by torch.save ({why.splitlines()[-1].strip()[:200] if why else 'no more is said'})",
            hint=_HINT_DAMAGED,
        )
    what = f"a Python object ({refused[1]})" if refused else "more than plain data"
    return CheckpointMismatchError(
        f"{path.name} holds {what}. To open it could run code of whoever wrote it, so it is left closed",
        hint='where you trust it: content = torch.load(file, weights_only=False), then torch.save({"model": content["model"].state_dict(), ...}) '
        "with state_dicts and plain numbers only, and adopt that",
    )


def _position(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpointError(f"{path.name} is no whole JSON ({error})", hint=_HINT_DAMAGED) from error
    wanted = ("global_step", "epoch")
    return {name: state[name] for name in wanted if name in state} if isinstance(state, dict) else {}
