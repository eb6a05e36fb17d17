"""Reads checkpoints that other programs wrote, as plain data: safetensors, JSON, and torch files with `weights_only=True`. Never more than that."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from batonpass.core.errors import CheckpointMismatchError, CorruptCheckpointError

_SAFE_TORCH = (2, 10)
"""CVE-2026-24747: before 2.10 a crafted file corrupts memory even with `weights_only=True`."""
_REFUSED = re.compile(r"GLOBAL\s+([A-Za-z_][\w.]*)")
_HINT_DAMAGED = "look for an older copy of the file; one whose writing was cut off cannot be mended"


@dataclass(slots=True)
class Entries:
    """What a checkpoint holds, by the names that its writer gave. `notes` says what was left unread, one sentence each."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
            weights |= _read_torch(path)
        elif path.suffix.lower() in {".pt", ".pth", ".ckpt", ".bin"} and leaf not in _UNREAD:
            content = _read_torch(path)
            found.values |= content if _has_names(content) else {"model": content}
        elif not leaf.endswith(".json"):
            found.notes.append(f"{name} was not read")
    if weights:
        found.values["model"] = weights
    return found


def _has_names(content: Any) -> bool:
    """A dict of several things, as opposed to one state_dict."""
    return isinstance(content, dict) and not all(isinstance(v, torch.Tensor) for v in content.values())


_PARTS = {"optimizer.pt": "optimizer", "optimizer.bin": "optimizer", "scheduler.pt": "scheduler", "scaler.pt": "scaler"}
_UNREAD = {"training_args.bin"}


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
        with torch.serialization.safe_globals(_plain_numpy()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _not_plain(path, str(error)) from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError, OSError) as error:
        raise CorruptCheckpointError(
            f"{path.name} is cut off or damaged: its writing was interrupted, or it was not copied completely"
            f" ({type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no more is said'})",
            hint=_HINT_DAMAGED,
        ) from error


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise CorruptCheckpointError(
            f"{path.name} is empty (0 bytes): the disk was full, or the machine stopped while it was written",
            hint=_HINT_DAMAGED,
        )


def _not_plain(path: Path, why: str) -> CheckpointMismatchError:
    refused = _REFUSED.search(why)
    what = f"a Python object ({refused[1]})" if refused else "more than plain data"
    return CheckpointMismatchError(
        f"{path.name} holds {what}. To open it could run code of whoever wrote it, so it is left closed",
        hint='where you trust it: content = torch.load(file, weights_only=False), then torch.save({"model": content["model"].state_dict(), ...}) '
        "with state_dicts and plain numbers only, and adopt that",
    )


def _plain_numpy() -> list[Any]:
    """What NumPy's own numbers and arrays are rebuilt by: they hold data and run nothing. Objects in arrays stay refused."""
    core = np._core.multiarray if hasattr(np, "_core") else np.core.multiarray  # type: ignore[attr-defined]  # noqa: SLF001  # their place moved in 2.0
    kinds = [type(np.dtype(code)) for code in "?bBhHiIlLqQefdFD"]
    rebuild: list[Any] = [core.scalar, core._reconstruct, np.ndarray, np.dtype]  # noqa: SLF001  # pickles name them
    named = [
        (getattr(core, name), f"numpy.core.multiarray.{name}") for name in ("scalar", "_reconstruct")
    ]  # as NumPy 1 wrote
    return [*rebuild, *kinds, *named]


def _position(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptCheckpointError(f"{path.name} is no whole JSON ({error})", hint=_HINT_DAMAGED) from error
    wanted = ("global_step", "epoch")
    return {name: state[name] for name in wanted if name in state} if isinstance(state, dict) else {}
