"""The torn-copy canary: changes the live tensors right after they were copied, and looks whether the copy changed with them.

It runs once in a session, on the user's own state, in the place where the training stands still. A byte at either end of each tensor is
turned over and turned back, so afterwards every bit is what it was. Tensors that other processes share are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

Place = tuple[str, torch.Tensor, int]
"""A tensor's name, the live tensor, and where its copy begins in the buffer, in bytes."""


def find_torn(places: Iterable[Place], buffer: torch.Tensor) -> list[str]:
    """The names of the tensors whose copy in `buffer` (flat uint8, on the CPU) is not what they held, or follows them when they change."""
    return [name for name, tensor, start in places if _may_touch(tensor) and _follows(tensor, buffer[start:])]


def _follows(tensor: torch.Tensor, copy: torch.Tensor) -> bool:
    ends = _ends(tensor)
    held = [live.to("cpu", copy=True) for _, live in ends]
    try:
        for _, live in ends:
            live.bitwise_xor_(0xFF)
        if tensor.is_cuda:
            torch.cuda.synchronize(tensor.device)
        return not all(
            torch.equal(copy[at : at + before.numel()], before) for (at, _), before in zip(ends, held, strict=True)
        )
    finally:
        for _, live in ends:
            live.bitwise_xor_(0xFF)


def _may_touch(tensor: torch.Tensor) -> bool:
    shared = tensor.device.type == "cpu" and tensor.is_shared()  # type: ignore[no-untyped-call]
    return tensor.numel() > 0 and not (shared or tensor.is_conj() or tensor.is_neg())


def _ends(tensor: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
    """Of the first and the last element: where its bytes lie in the copy, and the live ones as a flat uint8 view."""
    data, width = tensor.data, tensor.element_size()  # .data: its changes are none that autograd counts
    first = data.storage_offset()
    last = first + sum((n - 1) * s for n, s in zip(data.shape, data.stride(), strict=True))
    places = {first: 0, last: (tensor.numel() - 1) * width} if last != first else {first: 0}
    return [(at, data.as_strided((1,), (1,), offset).view(torch.uint8)) for offset, at in places.items()]
