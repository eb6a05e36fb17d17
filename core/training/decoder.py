"""Typed JSON plus named tensors -> the state tree that `encoder` was given. Safe on hostile input: it evaluates and imports nothing."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch

from batonpass.core.errors import FormatError
from batonpass.core.training import tags

Json = Any
FetchTensor = Callable[[str, str], torch.Tensor]
"""(file, name in the file) -> tensor. It raises the error that fits when there is none."""

_NUMPY_DTYPE = re.compile(r"[<>|=]?[biufcSU]\d{1,6}")


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes trees; `fetch` is asked once for each mention of a tensor."""

    fetch: FetchTensor

    def decode(self, tree: Json) -> Any:
        """The tree that was encoded. FormatError when this is not the encoder's work; whatever `fetch` raises."""
        try:
            return self._decode(tree, 0)
        except (TypeError, ValueError, KeyError, OverflowError, MemoryError, RuntimeError, binascii.Error) as error:
            raise _not_ours(f"{type(error).__name__}: {error}") from error

    def _decode(self, tree: Json, depth: int) -> Any:
        if depth > 4 * tags.DEEPEST:
            _refuse("it is nested too deeply")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if isinstance(tree, list):
            return [self._decode(v, depth + 1) for v in tree]
        if not isinstance(tree, dict):
            _refuse(f"a {type(tree).__name__} does not come from JSON")
        if len(tree) == 1:
            tag, value = next(iter(tree.items()))
            if tags.looks_like_a_tag(tag):
                return self._decode_tag(tag, value, depth + 1)
        if any(tags.looks_like_a_tag(k) for k in tree):
            _refuse("an unknown mixture of tags")
        return {k: self._decode(v, depth + 1) for k, v in tree.items()}

    def _decode_tag(self, tag: str, value: Json, depth: int) -> Any:
        if tag in _PLAIN:
            return _PLAIN[tag](value)
        if tag in _CONTAINERS:
            return _CONTAINERS[tag](self._decode(v, depth) for v in _list(value))
        if tag in _MAPPINGS:
            return _MAPPINGS[tag](self._pairs(value, depth))
        if tag == tags.COUNTER:
            counter: Counter[Any] = Counter()
            dict.update(counter, self._pairs(value, depth))
            return counter
        if tag == tags.DEFAULT_DICT:
            factory, pairs = _list(value, 2)
            return defaultdict(None if factory is None else tags.FACTORIES[factory], self._pairs(pairs, depth))
        if tag in {tags.TENSOR, tags.NUMPY_TENSOR}:
            file, name = (_text(v) for v in _list(value, 2))
            tensor = self.fetch(file, name)
            return tensor if tag == tags.TENSOR else tensor.numpy()
        raise _not_ours(f"unknown tag {tag!r}")

    def _pairs(self, value: Json, depth: int) -> list[tuple[Any, Any]]:
        pairs = (_list(pair, 2) for pair in _list(value))
        return [(self._decode(k, depth + 1), self._decode(v, depth + 1)) for k, v in pairs]


def _not_ours(why: str) -> FormatError:
    return FormatError(
        f"the stored state is not what its name promises ({why})",
        hint="the file may be damaged, edited or from elsewhere",
    )


def _refuse(why: str) -> NoReturn:
    raise _not_ours(why)


def _list(value: Json, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        _refuse("a list of another length was expected")
    return value


def _text(value: Json) -> str:
    return value if isinstance(value, str) else _refuse("a string was expected")


def _number(value: Json) -> float:
    if isinstance(value, dict):
        return _float(value[tags.FLOAT])
    return value if type(value) is float else _refuse("a float was expected")


def _float(value: Json) -> float:
    return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[value]


def _bytes(value: Json) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _numpy(value: Json) -> np.ndarray[Any, Any]:
    dtype, shape, data = _list(value, 3)
    return np.frombuffer(_bytes(data), _numpy_dtype(dtype)).reshape([_size(n) for n in _list(shape)]).copy()


def _numpy_scalar(value: Json) -> np.generic:
    dtype, data = _list(value, 2)
    kind = _numpy_dtype(dtype)
    raw = _bytes(data)
    if len(raw) != kind.itemsize:
        _refuse("a NumPy scalar of another size was expected")
    scalar: np.generic = np.frombuffer(raw, kind)[0] if kind.itemsize else kind.type()
    return scalar


def _numpy_dtype(value: Json) -> np.dtype[Any]:
    if not _NUMPY_DTYPE.fullmatch(_text(value)):
        _refuse(f"not a plain NumPy type: {value!r}")
    return np.dtype(value)


def _size(value: Json) -> int:
    return value if type(value) is int and value >= 0 else _refuse("a size was expected")


def _int(value: Json) -> int:
    return int(_text(value), 16)


def _complex(value: Json) -> complex:
    real, imaginary = _list(value, 2)
    return complex(_number(real), _number(imaginary))


_PLAIN: dict[str, Callable[[Json], Any]] = {
    tags.INT: _int,
    tags.FLOAT: _float,
    tags.COMPLEX: _complex,
    tags.BYTES: _bytes,
    tags.BYTE_ARRAY: lambda v: bytearray(_bytes(v)),
    tags.SIZE: lambda v: torch.Size([_size(n) for n in _list(v)]),
    tags.DTYPE: lambda v: tags.DTYPES[_text(v)],
    tags.DEVICE: lambda v: torch.device(_text(v)),
    tags.NUMPY: _numpy,
    tags.NUMPY_SCALAR: _numpy_scalar,
}
_CONTAINERS: dict[str, Callable[[Any], Any]] = {tags.TUPLE: tuple, tags.SET: set, tags.FROZEN_SET: frozenset}
_MAPPINGS: dict[str, Callable[[Any], Any]] = {tags.DICT: dict, tags.ORDERED_DICT: OrderedDict}
