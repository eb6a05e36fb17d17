"""State trees -> typed JSON plus named tensors, exactly. Never pickles; what cannot be stored is reported by its path."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from batonpass.core.training import tags
from batonpass.core.training.part import address, is_part
from batonpass.core.training.safetensors_file import DTYPES

Json = Any
_STORABLE_NUMPY = re.compile(r"[<>|=]?([biufcSU]\d+)")


class _CannotStoreError(Exception):
    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why


@dataclass(slots=True)
class Encoder:
    """Encodes any number of trees. Afterwards `tensors` holds, per file name, the tensors by their name in that file (references to
    the live tensors, not copies), and `missing` one sentence for each thing that could not be stored.

    One tensor that occurs twice in a file (tied weights) is stored once; `aliases` maps the second name to the first.
    """

    tensors: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    _seen: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)
    """Ids of the containers around the value in hand, to notice one that contains itself."""

    def encode(self, tree: Any, *, file: str, path: str = "", label: str = "") -> Json:
        """`tree` as a tree of JSON values that shares nothing mutable with it. Its tensors go to `file` under names made of `path`
        and the keys above them. `label` is what a person calls the tree in `missing`. None when nothing of it can be stored.
        """
        try:
            return self._encode(tree, _Where(file, path, label or path or file), 0)
        except _CannotStoreError as error:
            self._report(error)
            return None

    def _report(self, error: _CannotStoreError) -> None:
        self.missing.append(f"{error.path}: {error.why}")

    def _encode(self, value: Any, where: _Where, depth: int) -> Json:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(value)
        if isinstance(value, torch.Tensor):
            return {tags.TENSOR: self._add_tensor(value, where)}
        if kind in _MAPPINGS or kind in _SEQUENCES:
            return self._encode_container(value, where, depth)
        if isinstance(value, np.generic):
            return {tags.NUMPY_SCALAR: [_numpy_dtype(value.dtype, where), _base64(value.tobytes())]}
        if kind is np.ndarray:
            return self._encode_array(value, where)
        raise _CannotStoreError(where.label, f"a {kind.__module__}.{kind.__qualname__} cannot be stored without pickle")

    def _encode_container(self, value: Any, where: _Where, depth: int) -> Json:
        if depth > tags.DEEPEST or id(value) in self._open:
            raise _CannotStoreError(where.label, "contains itself, or is nested too deeply")
        self._open.add(id(value))
        try:
            if type(value) in _MAPPINGS:
                return self._encode_mapping(value, where, depth)
            items = [self._encode(v, where.item(i), depth + 1) for i, v in enumerate(value)]
        finally:
            self._open.discard(id(value))
        tag = _SEQUENCES[type(value)]
        return {tag: items} if tag else items

    def _encode_mapping(self, value: dict[Any, Any], where: _Where, depth: int) -> Json:
        pairs: list[list[Json]] = []
        for key, item in value.items():
            try:
                inner = where.key(key)
                pairs.append([self._encode_key(key, inner, depth + 1), self._encode(item, inner, depth + 1)])
            except _CannotStoreError as error:
                self._report(error)
        kind = type(value)
        if kind is dict:
            if all(type(k) is str and not tags.looks_like_a_tag(k) for k, _ in pairs):
                return dict(pairs)
            return {tags.DICT: pairs}
        if kind is defaultdict:
            factory = getattr(value, "default_factory", None)
            return {tags.DEFAULT_DICT: [_factory_name(factory, where), pairs]}
        return {tags.COUNTER if kind is Counter else tags.ORDERED_DICT: pairs}

    def _encode_key(self, key: Any, where: _Where, depth: int) -> Json:
        if isinstance(key, torch.Tensor):
            raise _CannotStoreError(where.label, "a tensor as a key cannot be stored")
        return self._encode(key, where, depth)

    def _encode_array(self, array: np.ndarray[Any, Any], where: _Where) -> Json:
        dtype = _numpy_dtype(array.dtype, where)
        try:
            tensor = torch.from_numpy(_writable(array))
        except (TypeError, ValueError):  # a dtype or byte order torch does not know
            return {tags.NUMPY: [dtype, list(array.shape), _base64(array.tobytes())]}
        if tensor.dtype not in DTYPES:
            return {tags.NUMPY: [dtype, list(array.shape), _base64(array.tobytes())]}
        return {tags.NUMPY_TENSOR: self._add_tensor(tensor, where)}

    def _add_tensor(self, tensor: torch.Tensor, where: _Where) -> list[str]:
        _check_tensor(tensor, where)
        file = self.tensors.setdefault(where.file, {})
        wanted = _tensor_name(where.path)
        identity = (where.file, address(tensor), tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride())
        if tensor.numel() and (known := self._seen.get(identity)):
            self.aliases.setdefault(where.file, {})[wanted] = known
            return [where.file, known]
        name, number = wanted, 2
        while name in file:
            name, number = f"{wanted}~{number}", number + 1
        file[name] = tensor.detach()
        self._seen[identity] = name
        return [where.file, name]


@dataclass(frozen=True, slots=True)
class _Where:
    """Where in the tree the encoder stands: the file for tensors, their name there, and the same place in a person's words."""

    file: str
    path: str
    label: str

    def key(self, key: Any) -> _Where:
        return _Where(self.file, f"{self.path}.{key}" if self.path else str(key), f"{self.label}[{key!r}]")

    def item(self, index: int) -> _Where:
        return _Where(self.file, f"{self.path}.{index}" if self.path else str(index), f"{self.label}[{index}]")


def _check_tensor(tensor: torch.Tensor, where: _Where) -> None:
    if type(tensor) not in _TENSOR_KINDS and not is_part(tensor):
        raise _CannotStoreError(where.label, f"a {type(tensor).__name__} is not a plain tensor")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise _CannotStoreError(where.label, "a sparse or quantized tensor cannot be stored")
    if tensor.device.type == "meta":
        raise _CannotStoreError(where.label, "a tensor on the meta device has no values")
    if tensor.dtype not in DTYPES:
        raise _CannotStoreError(where.label, f"safetensors has no {tensor.dtype}")


def _tensor_name(path: str) -> str:
    name = path.encode("utf-8", "replace").decode() or "tensor"
    return f"{name}~" if name == "__metadata__" else name  # the one name safetensors keeps for itself


def _writable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in C order; torch warns about arrays that may not be written."""
    return np.array(array, order="C", copy=None if array.flags.writeable else True)


def _encode_int(value: int) -> Json:
    return value if abs(value) <= tags.SAFE_INT else {tags.INT: hex(value)}


def _encode_float(value: float) -> Json:
    return value if math.isfinite(value) else {tags.FLOAT: str(value)}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()


def _numpy_dtype(dtype: np.dtype[Any], where: _Where) -> str:
    if not _STORABLE_NUMPY.fullmatch(dtype.str):
        raise _CannotStoreError(where.label, f"NumPy values of type {dtype} cannot be stored without pickle")
    return dtype.str


def _factory_name(factory: Callable[[], Any] | None, where: _Where) -> str | None:
    if factory is None:
        return None
    for name, known in tags.FACTORIES.items():
        if known is factory:
            return name
    raise _CannotStoreError(where.label, f"a defaultdict made by {factory!r} cannot be stored")


_TENSOR_KINDS = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
_MAPPINGS = (dict, OrderedDict, defaultdict, Counter)
_SEQUENCES: dict[type[Iterable[Any]], str] = {
    list: "",
    tuple: tags.TUPLE,
    set: tags.SET,
    frozenset: tags.FROZEN_SET,
}
_SIMPLE: dict[type, Callable[[Any], Json]] = {
    int: _encode_int,
    float: _encode_float,
    complex: lambda v: {tags.COMPLEX: [_encode_float(v.real), _encode_float(v.imag)]},
    bytes: lambda v: {tags.BYTES: _base64(v)},
    bytearray: lambda v: {tags.BYTE_ARRAY: _base64(v)},
    torch.Size: lambda v: {tags.SIZE: list(v)},
    torch.dtype: lambda v: {tags.DTYPE: str(v).removeprefix("torch.")},
    torch.device: lambda v: {tags.DEVICE: str(v)},
}
