"""The torn-copy canary: it notices a copy that is none, and leaves the state as it was to the bit."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from training.states import draft

from batonpass.core.training import snapshot as module
from batonpass.core.training.attached import Attached
from batonpass.core.training.canary import find_torn
from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.core.training.snapshot import Snapshotter

TENSORS = {
    "float32": torch.randn(3, 5),
    "bfloat16": torch.randn(7).bfloat16(),
    "scalar": torch.tensor(3.0),
    "bool": torch.tensor([True, False, True]),
    "complex": torch.randn(4, dtype=torch.complex64),
    "transposed": torch.randn(4, 6).t(),
    "expanded": torch.randn(1).expand(5),
    "sliced": torch.arange(20)[3:17:2],
    "nan": torch.tensor([float("nan"), -0.0]),
    "one": torch.ones(1, dtype=torch.int8),
}


def copied(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().clone().reshape(-1).view(torch.uint8)


@pytest.mark.parametrize("name", TENSORS)
def test_a_real_copy_passes_and_every_bit_is_as_it_was(name):
    tensor = TENSORS[name]
    before = copied(tensor)
    assert find_torn([(name, tensor, 4)], torch.cat([torch.zeros(4, dtype=torch.uint8), before])) == []
    assert torch.equal(copied(tensor), before)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "bool", "nan", "one"])
def test_a_copy_that_is_the_tensor_itself_is_found(name):
    tensor = TENSORS[name]
    assert find_torn([(name, tensor, 0)], tensor.reshape(-1).view(torch.uint8)) == [name]
    assert find_torn([(name, tensor, 0)], copied(tensor)) == [], "the state was not left as it was"


def test_a_copy_of_something_else_is_found():
    assert find_torn([("a", torch.ones(4), 0)], torch.zeros(16, dtype=torch.uint8)) == ["a"]


def test_autograd_does_not_notice():
    weight = torch.randn(3, requires_grad=True)
    loss = (weight * weight).sum()
    assert find_torn([("w", weight.detach(), 0)], copied(weight.detach())) == []
    loss.backward()
    assert torch.equal(weight.grad, 2 * weight.detach())


def test_memory_that_may_only_be_read_is_only_read(tmp_path):
    """A table mapped from a file: writing to it would end the process, or change the file."""
    np.save(tmp_path / "table.npy", np.arange(8, dtype=np.float32))
    before = (tmp_path / "table.npy").read_bytes()
    for mode in ("r", "r+"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mapped = torch.from_numpy(np.load(tmp_path / "table.npy", mmap_mode=mode))
        assert find_torn([("t", mapped, 0)], copied(mapped)) == []
    assert (tmp_path / "table.npy").read_bytes() == before


def test_an_interrupt_leaves_the_users_weights_alone(monkeypatch):
    tensor = torch.arange(8.0)
    before, room = copied(tensor), copied(tensor)

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.Tensor, "bitwise_xor_", stopped)
    with pytest.raises(KeyboardInterrupt):
        find_torn([("t", tensor, 0)], room)
    assert torch.equal(copied(tensor), before)


def test_an_unguarded_copy_is_caught_on_the_real_model_and_never_written(tmp_path):
    """The buffer is the model's own memory: the first save notices, and this and all later ones wait instead of copying."""
    buffer = torch.zeros(1 << 16, dtype=torch.uint8)
    model = nn.Linear(3, 2)
    places = {"bias": buffer[:8].view(torch.float32), "weight": buffer[8:32].view(torch.float32).view(2, 3)}
    for name, parameter in model.named_parameters():
        places[name].copy_(parameter.data)
        parameter.data = places[name]
    attached = Attached()
    attached.add(model=model)
    snapshotter = Snapshotter()
    snapshotter._buffer = buffer
    kept = copy.deepcopy(model.state_dict())
    for step in (1, 2):
        with snapshotter.take(attached, {}) as snapshot:
            assert snapshot.live
            assert ("bias and 1 more" in snapshot.warning) == (step == 1)
            folder, _ = write_checkpoint(snapshot, tmp_path, draft(step=step))
        fresh = nn.Linear(3, 2)
        other = Attached()
        other.add(model=fresh)
        apply(read_checkpoint(folder), other)
        assert all(torch.equal(fresh.state_dict()[k], v) for k, v in kept.items())


def test_it_runs_once_in_a_session(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "find_torn", lambda places, buffer: calls.append(places) or [])
    attached = Attached()
    attached.add(model=nn.Linear(3, 2))
    snapshotter = Snapshotter()
    for _ in range(3):
        snapshotter.take(attached, {}).release()
    assert len(calls) == 1


def test_a_tensor_that_it_cannot_look_at_costs_the_copy_and_not_the_saves(monkeypatch):
    def fail(places, buffer):
        raise NotImplementedError("no such view")

    monkeypatch.setattr(module, "find_torn", fail)
    attached = Attached()
    attached.add(model=nn.Linear(3, 2))
    snapshotter = Snapshotter()
    for first in (True, False):
        with snapshotter.take(attached, {}) as snapshot:
            assert snapshot.live
            assert ("no such view" in snapshot.warning) == first
