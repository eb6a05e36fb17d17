"""Turns what people log into floats, without importing torch or NumPy and without waiting for a GPU."""

from __future__ import annotations

import sys
from typing import Any


class OnItsWay:
    """A value that still lies on a device. `ready` never waits; `take` may wait, so only the drainer calls it."""

    __slots__ = ("_event", "_tensor")

    def __init__(self, tensor: Any, event: Any) -> None:
        self._tensor = tensor
        self._event = event

    def ready(self) -> bool:
        """Whether the copy to the CPU has finished; True where the device has no events to ask."""
        return self._event is None or bool(self._event.query())

    def take(self) -> float:
        """The value."""
        return _plain(self._tensor.item())


def to_scalar(value: Any) -> float | OnItsWay:
    """`value` as a float now, or on its way from a device.

    Takes ints, floats, bools, NumPy scalars and 0-d arrays and tensors. TypeError for anything else; OverflowError for an int
    beyond float64. A tensor on the CPU is read at once, so that changing it in place afterwards does not matter.
    """
    if isinstance(value, (float, int)):
        return float(value)
    if getattr(value, "shape", None) != ():
        raise TypeError(f"a {type(value).__name__} is not one number")
    if callable(getattr(value, "detach", None)):
        return _from_tensor(value.detach())
    return _plain(value.item())


def _plain(item: object) -> float:
    if isinstance(item, (float, int)):
        return float(item)
    raise TypeError(f"a {type(item).__name__} is not one number")


def _from_tensor(tensor: Any) -> float | OnItsWay:
    if tensor.device.type == "cpu":
        return _plain(tensor.item())
    if tensor.is_complex():
        raise TypeError("a complex tensor is not one number")
    if tensor.device.type == "cuda":
        # torch is there, because the tensor is. The copy goes to pinned memory, in the order of the current stream.
        cuda: Any = sys.modules["torch"].cuda
        event = cuda.Event()
        copied = tensor.to("cpu", non_blocking=True)
        event.record(cuda.current_stream(tensor.device))
        return OnItsWay(copied, event)
    return OnItsWay(tensor.clone(), None)
