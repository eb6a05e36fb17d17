"""Writes and reads side-cars (`core/sidecar.py`): random streams and whatever else a trainer's own checkpoint lacks, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from batonpass.core import sidecar as outside
from batonpass.core.errors import CorruptCheckpointError
from batonpass.core.files import durable_rename, temp_path
from batonpass.core.sidecar import EMBEDDED_KEY, FORMAT, METADATA_KEY, Facts, checkpoint_size, sidecar_path
from batonpass.core.training.decoder import Decoder
from batonpass.core.training.encoder import Encoder
from batonpass.core.training.environment import environment
from batonpass.core.training.safetensors_file import TensorBytes, live_chunks, storage_order, write_safetensors

_FILE = "sidecar"
_WINDOW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One that was read: its facts, where it was made (as `environment`), and the state that it carries."""

    facts: Facts
    environment: dict[str, str]
    state: dict[str, Any]


def write_sidecar(
    checkpoint: Path, state: Mapping[str, Any], *, trainer: str, step: int, missing: Sequence[str] = ()
) -> Path:
    """Write the side-car of a checkpoint that its trainer has just written: whole or not at all, and only ever for these very bytes.

    `state` is any tree that the encoder takes; what it does not take is named in the file. OSError as the system gives it.
    """
    tree, tensors = _encode(state, missing, trainer, step, checkpoint.name, checkpoint_size(checkpoint))
    target = sidecar_path(checkpoint)
    temp = temp_path(target)
    try:
        ordered = sorted(tensors.items(), key=lambda item: storage_order(*item))
        write_safetensors(temp, [_bytes_of(*item) for item in ordered], {METADATA_KEY: json.dumps(tree)})
        durable_rename(temp, target)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return target


def read_sidecar(checkpoint: Path) -> Sidecar | None:
    """The side-car of this checkpoint; None where there is none that belongs to it.

    CorruptCheckpointError or FormatError when it belongs to it and cannot be used.
    """
    if outside.read_facts(checkpoint) is None:
        return None
    path = sidecar_path(checkpoint)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
    except (SafetensorError, OSError) as error:
        raise CorruptCheckpointError(
            f"{path.name} cannot be read ({error})", hint="without it the resume is PARTIAL"
        ) from error
    return _decode(outside.read_tree(path), tensors)


def pack_sidecar(state: Mapping[str, Any], *, trainer: str, step: int, missing: Sequence[str] = ()) -> dict[str, Any]:
    """The side-car as plain strings and tensors, for a trainer that lets callbacks add to its own checkpoint file. Such a file still
    opens with `torch.load(..., weights_only=True)`.
    """
    tree, tensors = _encode(state, missing, trainer, step, "", 0)
    return {EMBEDDED_KEY: json.dumps(tree), "tensors": {name: tensor.cpu().clone() for name, tensor in tensors.items()}}


def unpack_sidecar(packed: Any) -> Sidecar | None:
    """What `pack_sidecar` made; None where it is something else. FormatError when it is ours and cannot be used."""
    if not isinstance(packed, dict) or not isinstance(text := packed.get(EMBEDDED_KEY), str):
        return None
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    tensors = packed.get("tensors")
    return _decode(tree, tensors if isinstance(tensors, dict) else {})


def _encode(
    state: Mapping[str, Any], missing: Sequence[str], trainer: str, step: int, checkpoint: str, size_bytes: int
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    encoder = Encoder()
    encoded = {name: encoder.encode(value, file=_FILE, path=name, label=name) for name, value in state.items()}
    tree = {
        "format": FORMAT,
        "trainer": trainer,
        "checkpoint": checkpoint,
        "size_bytes": size_bytes,
        "step": step,
        "missing": [*missing, *encoder.missing],
        "environment": environment(),
        "state": encoded,
    }
    return tree, encoder.tensors.get(_FILE, {})


def _decode(tree: Any, tensors: Mapping[str, Any]) -> Sidecar | None:
    facts = outside.parse_facts(tree)
    if facts is None:
        return None

    def fetch(_file: str, name: str) -> torch.Tensor:
        found = tensors.get(name)
        if not isinstance(found, torch.Tensor):
            raise CorruptCheckpointError(
                f"the side-car has no tensor {name!r}", hint="without it the resume is PARTIAL"
            )
        return found.clone()

    state = Decoder(fetch).decode(tree.get("state"))
    there = tree.get("environment")
    stored = {str(k): str(v) for k, v in there.items()} if isinstance(there, dict) else {}
    return Sidecar(facts, stored, state if isinstance(state, dict) else {})


def _bytes_of(name: str, tensor: torch.Tensor) -> TensorBytes:
    size = tensor.numel() * tensor.element_size()
    return TensorBytes(name, tensor.dtype, tuple(tensor.shape), size, lambda: live_chunks(tensor, _WINDOW_BYTES))
