"""Rebuilds NumPy's numbers and arrays out of a pickle without letting the pickle speak to NumPy.

NumPy's own rebuilding functions trust what they are given: a crafted type's `__setstate__` makes them take bytes for pointers. These
stand in for them in `torch.load(weights_only=True)`: what comes out is a copy of checked bytes, in a type of this list, or an error.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

_KINDS = "biufcSU"
"""Booleans, integers, floats, complex numbers, bytes and texts: data and nothing else."""
_ORDERS: dict[Any, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}
_LARGEST_ITEM_BYTES = 1 << 20


class PlainType:
    """Stands in for `numpy.dtype`."""

    def __init__(self, code: Any, _align: Any = False, _copy: Any = True) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        """NumPy's state of a type; only its byte order is wanted, a type with fields or a shape of its own is refused."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a structured NumPy type")
        self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        """The type itself. UnpicklingError when it is none of plain data."""
        code, order = self.code, _ORDERS.get(self.order)
        if isinstance(code, str) and code[:1] in _KINDS and code[1:].isdecimal() and order:
            size = int(code[1:])
            if 0 < size <= _LARGEST_ITEM_BYTES:
                try:
                    return np.dtype(code).newbyteorder(order)
                except TypeError:
                    pass
        raise pickle.UnpicklingError(f"not a plain NumPy type: {code!r}")


class PlainArray:
    """Stands in for an array until all of the file is read: `settle` makes the array of it."""

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        """NumPy's state of an array: version, shape, type, Fortran order, bytes."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("not the state of a NumPy array")
        _, shape, kind, fortran, data = state
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 32:
            raise pickle.UnpicklingError("a NumPy array of no possible shape")
        flat = _values(kind, data, math.prod(shape))
        self.array = flat.reshape(shape, order="F" if fortran else "C")


def rebuild_scalar(kind: Any, data: Any = b"") -> Any:
    """Stands in for `numpy._core.multiarray.scalar`."""
    return _values(kind, data, 1)[0]


def rebuild_array(_subtype: Any, _shape: Any, _code: Any) -> PlainArray:
    """Stands in for `numpy._core.multiarray._reconstruct`; what the array is comes after it."""
    return PlainArray()


def empty_bytes() -> bytes:
    """Stands in for `bytes`, which the pickles of empty arrays call without a word."""
    return b""


class _NoArray:
    """Stands in for the name `numpy.ndarray`, which a pickle only hands on."""


def stand_ins() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """For `torch.serialization.safe_globals`: what is put in the place of each of NumPy's names, of NumPy 1 and 2."""
    return [
        *((what, f"numpy.{core}.multiarray.{name}") for core in ("core", "_core") for name, what in _FUNCTIONS),
        (PlainType, "numpy.dtype"),
        (_NoArray, "numpy.ndarray"),
        (empty_bytes, "builtins.bytes"),
        (PlainArray, f"{__name__}.PlainArray"),  # what is built must be in the list, too
    ]


def settle(tree: Any) -> Any:
    """The same tree with arrays in the place of what stood in for them. Containers are changed where they are."""
    seen: dict[int, tuple[Any, Any]] = {}
    return _settle(tree, seen)


def _settle(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Each object once: a small file can name one tuple a billion times."""
    if isinstance(value, PlainArray):
        return value.array
    if isinstance(value, PlainType):
        return value.resolve()
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, dict):
        seen[id(value)] = (value, value)
        for key, each in list(value.items()):
            value[key] = _settle(each, seen)
    elif isinstance(value, list):
        seen[id(value)] = (value, value)
        value[:] = [_settle(each, seen) for each in value]
    elif type(value) is tuple:
        settled = tuple(_settle(each, seen) for each in value)
        seen[id(value)] = (value, settled)  # kept alive, so that its id is nobody else's
        return settled
    return value


def _values(kind: Any, data: Any, count: int) -> np.ndarray[Any, Any]:
    if not isinstance(kind, PlainType):
        raise pickle.UnpicklingError("a NumPy value without a type")
    dtype = kind.resolve()
    if isinstance(data, str):  # as Python 2 wrote bytes
        data = data.encode("latin-1")
    if not isinstance(data, bytes) or len(data) != count * dtype.itemsize:
        raise pickle.UnpicklingError("a NumPy value of another size than its type says")
    return np.frombuffer(data, dtype).copy()


_FUNCTIONS: tuple[tuple[str, Callable[..., Any]], ...] = (("scalar", rebuild_scalar), ("_reconstruct", rebuild_array))
