"""What can be told about a dataset cheaply, to notice on resume that it is not the same one (an unseeded random_split, new files)."""

from __future__ import annotations

import hashlib
from collections.abc import Sized
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset

_EDGE = 64
"""Rows at either end of a tensor that are hashed."""
LISTS = ("samples", "files", "paths", "filenames", "file_list", "image_paths", "image_files")
"""Attributes in which a dataset keeps the files that it reads: in another order, the same index is another sample."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two fingerprints differ: `path` through the tree, what stood there and what stands there now (None: nothing)."""

    path: tuple[str | int, ...]
    then: Any
    now: Any

    @property
    def key(self) -> str:
        """The last name on the path: "indices", "length", "type", "rows", "data", "targets", "samples", "sampler"."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")


def fingerprint(dataset: Any) -> dict[str, Any]:
    """A JSON tree of types, lengths and hashes; cost does not grow with the dataset, except for the indices of a Subset."""
    found: dict[str, Any] = {"type": type(dataset).__qualname__}
    if isinstance(dataset, Sized):
        with suppress(TypeError, NotImplementedError):  # an IterableDataset may refuse
            found["length"] = len(dataset)
    if isinstance(dataset, Subset):
        found["indices"] = _digest(np.asarray(dataset.indices).tobytes())
        found["of"] = fingerprint(dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        found["of"] = [fingerprint(d) for d in dataset.datasets]
    elif isinstance(dataset, TensorDataset):
        found["rows"] = [_edges(t) for t in dataset.tensors]
    else:
        for name in ("data", "targets", "samples"):  # as torchvision's datasets call them
            if (edges := _edges(getattr(dataset, name, None))) is not None:
                found[name] = edges
        for name in LISTS:
            if (edges := _listed(getattr(dataset, name, None))) is not None:
                found[name] = edges
    return found


def fingerprint_differences(then: Any, now: Any, path: tuple[str | int, ...] = ()) -> list[Difference]:
    """Where two fingerprints differ. What an older release did not look at is no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        keys = sorted(then.keys())
        return [d for k in keys for d in fingerprint_differences(then.get(k), now.get(k), (*path, k))]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            d for i, (a, b) in enumerate(zip(then, now, strict=True)) for d in fingerprint_differences(a, b, (*path, i))
        ]
    return [] if then == now else [Difference(path, then, now)]


def digest_keys(keys: Any) -> str:
    """A short hash of a batch's keys (indices)."""
    return _digest(repr(keys).encode())


def _edges(rows: Any) -> str | None:
    if isinstance(rows, torch.Tensor) and rows.dim() and rows.layout == torch.strided and rows.device.type != "meta":
        ends = [rows[:_EDGE], rows[-_EDGE:]]
        data = b"".join(e.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for e in ends)
        return _digest(f"{rows.dtype}{tuple(rows.shape)}".encode() + data)
    if isinstance(rows, np.ndarray) and rows.ndim and rows.dtype != object:
        return _digest(f"{rows.dtype}{rows.shape}".encode() + rows[:_EDGE].tobytes() + rows[-_EDGE:].tobytes())
    return None


def _listed(entries: Any) -> str | None:
    """File names without their folders, which differ between machines; None for a list of anything but names and numbers."""
    if not isinstance(entries, list | tuple):
        return None
    try:
        return _digest(repr([_plain(entry) for entry in (*entries[:_EDGE], *entries[-_EDGE:])]).encode())
    except TypeError:
        return None


def _plain(entry: Any) -> Any:
    if isinstance(entry, str | PurePath):
        return str(entry).replace("\\", "/").rpartition("/")[2]
    if isinstance(entry, list | tuple):
        return [_plain(part) for part in entry]
    if isinstance(entry, int | float | None):
        return entry
    raise TypeError(type(entry))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
