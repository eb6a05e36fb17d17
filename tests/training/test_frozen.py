"""Weights that do not change are found by their content, and stored once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from training.states import draft

from batonpass.core.model import Manifest
from batonpass.core.training import frozen as module
from batonpass.core.training.attached import Attached
from batonpass.core.training.commit import write_checkpoint, written_tensors
from batonpass.core.training.frozen import FrozenTensors
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.core.training.snapshot import Snapshotter

BASE, HEAD = 600, 40


@pytest.fixture(autouse=True)
def _small_shards_count(monkeypatch):
    monkeypatch.setattr(module, "WORTH_BYTES", 1000)


class Session:
    """Trains the head of a model whose base stands still, and saves at each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = nn.ModuleDict({"base": nn.Linear(BASE, 2), "head": nn.Linear(HEAD, 2)})
        self.attached = Attached()
        self.attached.add(model=self.model)
        self.snapshotter = Snapshotter()

    def save(self, step: int) -> Manifest:
        with torch.no_grad():
            self.model["head"].weight += 1.0
        with self.snapshotter.take(self.attached, {}) as snapshot:
            _, manifest = write_checkpoint(snapshot, self.folder, draft(step=step))
            self.attached.observe(step, written_tensors(snapshot, manifest))
        return manifest


def shard(manifest: Manifest) -> set[str]:
    return {t.name for t in manifest.tensors if t.file == "model-frozen.safetensors"}


def shard_hash(manifest: Manifest) -> str:
    return next(f.sha256 for f in manifest.files if f.name == "model-frozen.safetensors")


def test_what_never_changes_goes_to_the_shard_without_any_flag(tmp_path):
    session = Session(tmp_path)
    saved = [session.save(step) for step in range(6)]
    assert [bool(shard(m)) for m in saved] == [False, False, True, True, True, True]
    assert shard(saved[-1]) == {"base.weight", "base.bias", "head.bias"}
    assert shard_hash(saved[-1]) == shard_hash(saved[-3])


def test_what_changes_under_a_false_flag_leaves_the_shard_and_comes_not_back(tmp_path):
    session = Session(tmp_path)
    session.model["head"].requires_grad_(False)
    saved = [session.save(step) for step in range(12)]
    assert "head.weight" in shard(saved[0])
    assert "head.weight" in shard(saved[1])
    assert all("head.weight" not in shard(m) for m in saved[2:])


def test_the_next_session_goes_on_with_the_same_shard(tmp_path):
    session = Session(tmp_path)
    saved = [session.save(step) for step in range(5)]
    other = Session(tmp_path / "other")
    apply(read_checkpoint(next(tmp_path.glob(f"{saved[-1].step}-*"))), other.attached)
    assert shard_hash(other.save(5)) == shard_hash(saved[-1])
    assert shard_hash(other.save(6)) == shard_hash(saved[-1])


def test_all_still_is_one_file():
    tensors = FrozenTensors()
    for step in range(8):
        tensors.observe(step, {"a": ("1", 10**9)}, [])
    assert tensors.choose([], ["a"]) == frozenset()


def test_saves_at_one_step_say_nothing():
    tensors = FrozenTensors()
    for _ in range(8):
        tensors.observe(3, {"a": ("1", 10**9)}, [])
    assert tensors.choose([], ["a", "b"]) == frozenset()


def test_little_that_joins_does_not_move_a_large_shard():
    tensors = FrozenTensors()
    tensors.adopt(["base"])
    for step in range(8):
        tensors.observe(step, {"base": ("1", 10**9), "late": ("2", 10**8), "head": (str(step), 5)}, ["base"])
    assert tensors.choose([], ["base", "late", "head"]) == {"base"}


def test_two_names_of_one_content_are_weighed_once():
    tensors = FrozenTensors()
    tensors.adopt(["base"])
    late = {"late": ("2", 10**8), "again": ("2", 10**8), "third": ("2", 10**8)}
    for step in range(8):
        tensors.observe(step, {"base": ("1", 10**9), **late, "head": (str(step), 5)}, ["base"])
    assert tensors.choose([], ["base", *late, "head"]) == {"base"}


def test_one_that_changes_now_and_then_moves_the_shard_ever_more_rarely():
    tensors, moves, inside = FrozenTensors(), 0, frozenset()
    for step in range(200):
        tensors.observe(step, {"a": (str(step // 5), 10**9), "b": (str(step), 5)}, inside)
        chosen = tensors.choose([], ["a", "b"])
        moves += chosen != inside
        inside = chosen
    assert moves <= 4


def test_tied_weights_stay_in_one_file(tmp_path):
    session = Session(tmp_path)
    session.model["again"] = nn.Linear(BASE, 2)
    session.model["again"].weight = session.model["base"].weight
    saved = [session.save(step) for step in range(6)]
    names = {t.name for t in saved[-1].tensors if t.name.endswith("weight")}
    assert len(names & {"base.weight", "again.weight"}) == 1
    fresh = Session(tmp_path / "other")
    fresh.model["again"] = nn.Linear(BASE, 2)
    fresh.model["again"].weight = fresh.model["base"].weight
    apply(read_checkpoint(next(tmp_path.glob(f"{saved[-1].step}-*"))), fresh.attached)
    assert torch.equal(fresh.model["again"].weight, session.model["base"].weight)
