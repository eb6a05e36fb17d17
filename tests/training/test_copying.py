"""Many tensors copied at once, by several threads: each byte where it belongs, and no error lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from batonpass.core.training import copying
from batonpass.core.training.copying import copy_all

TENSORS = [
    torch.randn(3, 5),
    torch.randn(1_000_003),
    torch.empty(0),
    torch.tensor(2.5),
    torch.randn(40, 60).t(),
    torch.randn(7).expand(4, 7),
    torch.randn(9, dtype=torch.complex64).conj(),
    torch.randn(300).bfloat16(),
    torch.arange(50)[::3],
    torch.tensor([True, False]),
]


def pairs():
    return [(t, torch.zeros(t.numel() * t.element_size(), dtype=torch.uint8)) for t in TENSORS]


@pytest.mark.parametrize("threads", [None, 1, 2, 4])
def test_every_byte_arrives(threads, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 1000)
    copied = pairs()
    copy_all(copied, threads=threads)
    for tensor, room in copied:
        expected = tensor.resolve_conj().contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else room
        assert torch.equal(room, expected), tensor.shape


def test_small_states_start_no_thread(monkeypatch):
    monkeypatch.setattr(copying.threading, "Thread", None)
    copy_all(pairs())


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_any_thread_is_raised(monkeypatch, threads):
    """A snapshot that is not whole must not pass for one."""
    count = []

    def fails(target, source):
        count.append(1)
        if len(count) == 5:
            raise MemoryError
        target[...] = source

    monkeypatch.setattr(copying, "PIECE_BYTES", 1000)
    monkeypatch.setattr(copying.np, "copyto", fails)
    with pytest.raises(MemoryError):
        copy_all(pairs(), threads=threads)
    assert np.copyto is fails
