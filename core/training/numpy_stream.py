"""NumPy's legacy stream, read and put back in microseconds: its own get_state and set_state take fifty each, too much for every step.

The generator's memory is copied as it lies (`BitGenerator.ctypes.state_address`), never interpreted; where a first comparison with
`get_state` shows another layout than expected, or a half-used pair of normals is waiting, NumPy's own functions are used.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

_WORDS = 624
_SIZE_BYTES = 4 * _WORDS + 4
"""MT19937: its words and the position among them."""


@dataclass(frozen=True, slots=True)
class NumpyState:
    """The stream at one moment."""

    full: dict[str, Any]
    """As `numpy.random.get_state(legacy=False)` gives it; `numpy.random.set_state` takes it."""
    raw: bytes | None
    """The generator's memory, where copying it back is enough."""


class _LastRead:
    state: NumpyState | None = None


def read_numpy() -> NumpyState:
    """The stream as it stands; cheap when nothing was drawn since the last reading."""
    address = _address()
    raw = None if address is None else ctypes.string_at(address, _SIZE_BYTES)
    last = _LastRead.state
    if last is not None and raw is not None and last.raw == raw:
        return last
    full: dict[str, Any] = np.random.get_state(legacy=False)  # noqa: NPY002  # this very stream
    state = NumpyState(full, raw if raw is not None and _as_expected(full, raw) else None)
    _LastRead.state = state
    return state


def write_numpy(state: NumpyState) -> None:
    """Let the stream go on from there."""
    address = _address()
    if state.raw is None or address is None:
        np.random.set_state(state.full)  # noqa: NPY002  # see above
        return
    np.random.seed(0)  # noqa: NPY002  # forgets a waiting normal, which lies outside the generator's memory
    ctypes.memmove(address, state.raw, _SIZE_BYTES)


def _address() -> int | None:
    generator = np.random.mtrand.get_bit_generator()
    return generator.ctypes.state_address if type(generator) is np.random.MT19937 else None


def _as_expected(full: dict[str, Any], raw: bytes) -> bool:
    """The memory is the words and the position, and no second normal of a pair is waiting."""
    inner = full["state"]
    memory = inner["key"].astype("=u4").tobytes() + np.int32(inner["pos"]).tobytes()
    return not full["has_gauss"] and memory == raw
