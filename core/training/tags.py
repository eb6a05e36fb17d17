"""The words of the typed JSON: a JSON object whose only key is one of these is not a dict but something JSON has no name for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

TENSOR = "$tensor"
"""[file, name in the file]."""
DICT = "$dict"
"""[[key, value], ...]: a dict with keys that are not strings, or with a string that looks like a tag."""
ORDERED_DICT = "$ordered_dict"
DEFAULT_DICT = "$default_dict"
"""[name of the factory or null, [[key, value], ...]]."""
COUNTER = "$counter"
TUPLE = "$tuple"
SET = "$set"
FROZEN_SET = "$frozenset"
INT = "$int"
"""An integer beyond 2**53, in hexadecimal ("-0x1f")."""
FLOAT = "$float"
""""inf", "-inf" or "nan"."""
COMPLEX = "$complex"
BYTES = "$bytes"
"""Base64."""
BYTE_ARRAY = "$bytearray"
SIZE = "$size"
DTYPE = "$dtype"
DEVICE = "$device"
NUMPY = "$numpy"
"""[dtype as NumPy writes it, shape, base64 of the bytes in C order]."""
NUMPY_SCALAR = "$numpy_scalar"
"""[dtype as NumPy writes it, base64]."""
NUMPY_TENSOR = "$numpy_tensor"
"""A NumPy array whose bytes lie in a safetensors file: [file, name in the file]."""

SAFE_INT = 2**53
"""Integers up to this size mean the same to every JSON reader."""
DEEPEST = 150
"""Levels of nesting that are stored; more is almost certainly a structure that contains itself."""

FACTORIES: dict[str, Callable[[], Any]] = {
    "dict": dict,
    "list": list,
    "set": set,
    "int": int,
    "float": float,
    "str": str,
    "tuple": tuple,
}
"""The only factories of a defaultdict that are stored."""

DTYPES = {str(d).removeprefix("torch."): d for d in vars(torch).values() if isinstance(d, torch.dtype)}
"""Name -> dtype, canonical names only ("float32", never "float")."""


def looks_like_a_tag(key: str) -> bool:
    """Whether a plain dict with this key must be written as `DICT`, so that it is never taken for a tag."""
    return key.startswith("$")
