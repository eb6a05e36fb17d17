"""Copies many tensors in memory at once: the training waits for it. One core alone does not use up what the memory can give."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

Pair = tuple[torch.Tensor, torch.Tensor]
"""A tensor, and its room: flat uint8 of the same number of bytes, on the CPU."""
Piece = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]

PIECE_BYTES = 4 << 20
"""So much at a time: a thread that is not let run holds up no more than this."""
WORTH_BYTES = 32 << 20
"""Below this the copy is over before another thread has begun."""
MOST_THREADS = 4


def copy_all(pairs: Iterable[Pair], *, threads: int | None = None) -> None:
    """Copy every tensor into its room. Device tensors are queued first and have to be waited for by the caller.

    What is plain memory is copied piece by piece by this thread and, where it is much, a few more (`threads` in all; default: as many as
    there are cores, at most MOST_THREADS). Torch's own copy would wake a thread for each core and wait for all of them, tensor by tensor.
    """
    plain = [pair for pair in pairs if not _queue(*pair)]
    size = sum(room.numel() for _, room in plain)
    wanted = min(os.cpu_count() or 1, MOST_THREADS) if threads is None else threads
    _Pieces(plain).copy(wanted if size >= WORTH_BYTES or threads else 1)


def _queue(tensor: torch.Tensor, room: torch.Tensor) -> bool:
    """Torch copies it, where its memory is not simply its bytes."""
    if not room.numel():
        return True
    if tensor.device.type == "cpu" and tensor.is_contiguous() and not (tensor.is_conj() or tensor.is_neg()):
        return False
    room.view(tensor.dtype).view(tensor.shape).copy_(tensor, non_blocking=True)
    return True


class _Pieces:
    """Work that several threads take from until nothing is left. The first error of any is raised when all have ended."""

    def __init__(self, pairs: list[Pair]) -> None:
        self._left: Iterator[Piece] = (piece for pair in pairs for piece in _cut(*pair))
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []

    def copy(self, threads: int) -> None:
        helpers = [threading.Thread(target=self._work, name="batonpass-copy", daemon=True) for _ in range(threads - 1)]
        for helper in helpers:
            helper.start()
        self._work()
        for helper in helpers:
            helper.join()
        if self._errors:
            raise self._errors[0]

    def _work(self) -> None:
        try:
            while (piece := self._next()) is not None:
                np.copyto(*piece)
        except BaseException as error:  # noqa: BLE001  # raised by `copy`: a snapshot that is not whole must not pass for one
            self._errors.append(error)

    def _next(self) -> Piece | None:
        with self._lock:
            return next(self._left, None)


def _cut(tensor: torch.Tensor, room: torch.Tensor) -> Iterator[Piece]:
    source, target = tensor.reshape(-1).view(torch.uint8).numpy(), room.numpy()
    for at in range(0, len(target), PIECE_BYTES):
        yield target[at : at + PIECE_BYTES], source[at : at + PIECE_BYTES]
