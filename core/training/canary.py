"""The torn-copy canary: whether what was copied holds the live tensors' bytes and shares no memory with them.

It runs once in a session, on the user's own state, where the training stands still. Only our copy is written to: a byte at either end of each
tensor's copy is turned over, and the live tensor must not follow. The user's memory may be read-only, mapped from a file or in use by
another thread; nothing is ever changed there.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

Place = tuple[str, torch.Tensor, int]
"""A tensor's name, the live tensor, and where its copy begins in the buffer, in bytes."""


def find_torn(places: Iterable[Place], buffer: torch.Tensor) -> list[str]:
    """The names of the tensors whose copy in `buffer` (flat uint8, on the CPU) is not what they hold, or is the tensor itself."""
    return [name for name, tensor, start in places if _may_look(tensor) and _is_torn(tensor, buffer[start:])]


def _is_torn(tensor: torch.Tensor, copy: torch.Tensor) -> bool:
    ends = _ends(tensor)
    held = [live.to("cpu", copy=True) for _, live in ends]
    rooms = [copy[at : at + before.numel()] for (at, _), before in zip(ends, held, strict=True)]
    if not all(torch.equal(room, before) for room, before in zip(rooms, held, strict=True)):
        return True
    try:
        for room in rooms:
            room.bitwise_xor_(0xFF)
        return not all(torch.equal(live.cpu(), before) for (_, live), before in zip(ends, held, strict=True))
    finally:
        for room, before in zip(rooms, held, strict=True):
            room.copy_(before)


def _may_look(tensor: torch.Tensor) -> bool:
    return tensor.numel() > 0 and not (tensor.is_conj() or tensor.is_neg())


def _ends(tensor: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
    """Of the first and the last element: where its bytes lie in the copy, and the live ones as a flat uint8 view."""
    data, width = tensor.data, tensor.element_size()
    first = data.storage_offset()
    last = first + sum((n - 1) * s for n, s in zip(data.shape, data.stride(), strict=True))
    places = {first: 0, last: (tensor.numel() - 1) * width} if last != first else {first: 0}
    return [(at, data.as_strided((1,), (1,), offset).view(torch.uint8)) for offset, at in places.items()]
