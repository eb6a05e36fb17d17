"""Loaders keep what the user set on them, leave training's random streams alone, and other data is noticed on resume."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, get_worker_info, random_split
from training.parts import Remembering
from training.relay import Augmented, Session, flat, legacy, make_loader

from batonpass.core.errors import FormatError, UsageError
from batonpass.core.training.data import open_source
from batonpass.core.training.data_words import describe_differences
from batonpass.core.training.fingerprint import fingerprint, fingerprint_differences
from batonpass.core.training.order import IndexedOrder
from batonpass.core.training.position import Position, remaining_bodies
from batonpass.core.training.seeds import derive, permutation


def streams() -> tuple:
    return random.getstate(), str(legacy.get_state(legacy=False)), torch.get_rng_state().tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_fetching_leaves_the_training_streams_alone(workers, tmp_path):
    run = Session(tmp_path, goal=10, save_at=lambda _: False, die_after=None)
    before = streams()
    assert len(list(run.loop.steps(make_loader(workers)))) == 10
    assert streams() == before


def test_the_comparison_of_streams_notices_a_stock_loader():
    before = streams()
    list(make_loader())
    assert streams() != before


@given(st.integers(0, 40), st.integers(1, 7) | st.none(), st.booleans(), st.booleans())
def test_the_batches_of_an_epoch_hold_each_sample_once(samples, size, drop, shuffled):
    order = IndexedOrder(samples, size, drop_last=drop and size is not None, shuffle_seed=3 if shuffled else None)
    batches = list(order.iterate(2, 0))
    assert len(batches) == order.batches
    flat_keys = batches if size is None else [k for b in batches for k in b]
    assert len(set(flat_keys)) == len(flat_keys) == samples - (samples % size if drop and size else 0)
    if batches:
        assert list(order.iterate(2, len(batches) // 2)) == batches[len(batches) // 2 :]


def test_orders_are_the_same_on_every_machine_and_version():
    assert permutation(8, derive(7, "order", 0)).tolist() == [6, 5, 0, 2, 4, 1, 3, 7]
    assert derive(7, "sample", 0, 3) == 3387295895521043850


class Marked(Dataset):
    """Tells which worker read it and what `worker_init_fn` left."""

    mark = 0

    def __len__(self):
        return 8

    def __getitem__(self, index):
        info = get_worker_info()
        assert info is None or isinstance(info.dataset, Marked)
        return index, self.mark


def mark_worker(worker_id):
    get_worker_info().dataset.mark = 100 + worker_id


def drop_marks(samples):
    return sorted(samples)


def test_the_users_worker_start_and_collate_see_the_users_own_dataset():
    loader = DataLoader(Marked(), batch_size=2, num_workers=2, worker_init_fn=mark_worker, collate_fn=drop_marks)
    batches = list(open_source(loader, 1).open(0, 0))
    assert [[i for i, _ in b] for b in batches] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert {m for b in batches for _, m in b} == {100, 101}


def test_a_loader_without_batching_yields_single_samples():
    loader = DataLoader(Marked(), batch_size=None, shuffle=True)
    assert sorted(i for i, _ in open_source(loader, 1).open(0, 0)) == list(range(8))


def test_pure_tensor_datasets_cost_no_seeding():
    tensors = TensorDataset(torch.arange(4))
    assert not open_source(DataLoader(Subset(tensors, [1, 2])), 1).draws
    assert open_source(DataLoader(Augmented()), 1).draws
    assert open_source(DataLoader(tensors, collate_fn=drop_marks), 1).draws


def test_what_cannot_be_iterated_is_refused():
    with pytest.raises(UsageError, match="int"):
        open_source(3, 1)


def resumed(tmp_path, first, second) -> Session:
    for loader, goal in ((first, 3), (second, 6)):
        run = Session(tmp_path / "a", goal=goal, save_at=lambda step: step == 3, die_after=None)
        run.folder.mkdir(exist_ok=True)
        run.restore()
        flat(run, loader)
    return run


def split_without_seed() -> DataLoader:
    data = TensorDataset(torch.randn(40, 8, generator=torch.Generator().manual_seed(1)), torch.arange(40) % 3)
    unseeded = torch.Generator()
    unseeded.seed()
    return DataLoader(random_split(data, [30, 10], generator=unseeded)[0], batch_size=4, shuffle=True)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (split_without_seed, split_without_seed, "split differently"),
        (make_loader, lambda: make_loader(batch_size=5), "batches of 4 samples then, 5 now"),
        (
            make_loader,
            lambda: make_loader(shuffle=False),
            "drawn by SequentialSampler now and were drawn by RandomSampler",
        ),
        (
            make_loader,
            lambda: DataLoader(Subset(Augmented(), range(28)), batch_size=4, shuffle=True),
            "from a Subset now",
        ),
    ],
    ids=["random_split", "batch size", "sampler", "subset"],
)
def test_other_data_is_noticed_and_makes_the_resume_partial(tmp_path, first, second, words):
    run = resumed(tmp_path, first(), second())
    assert any(words in d for d in run.loop.doubts), run.loop.doubts
    assert any("PARTIAL" in line for line in run.lines)


def test_nobody_is_shown_a_hash(tmp_path):
    doubts = " ".join(resumed(tmp_path, split_without_seed(), split_without_seed()).loop.doubts)
    assert "random_split without a seed?" in doubts
    assert "manual_seed" in doubts, "what to do about it"
    assert not re.search(r"[0-9a-f]{16}", doubts)


def test_other_values_and_another_length_are_said_apart():
    few, many = TensorDataset(torch.zeros(4)), TensorDataset(torch.zeros(5))
    (length,) = describe_differences(fingerprint_differences(fingerprint(few), fingerprint(many)))
    assert "5 samples now and had 4 samples before" in length
    (values,) = describe_differences(
        fingerprint_differences(fingerprint(few), fingerprint(TensorDataset(torch.ones(4))))
    )
    assert "other values" in values


def test_the_same_data_raises_no_doubt(tmp_path):
    assert not resumed(tmp_path, make_loader(), make_loader()).loop.doubts


def test_other_values_at_either_end_of_a_tensor_dataset_are_noticed():
    values = torch.arange(1000.0)
    changed = values.clone()
    changed[-1] += 1
    then, now = fingerprint(TensorDataset(values)), fingerprint(TensorDataset(changed))
    assert fingerprint_differences(then, now)
    assert not fingerprint_differences(then, fingerprint(TensorDataset(values.clone())))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 30), st.integers(0, 200))
def test_the_remaining_bodies_are_those_that_a_walk_counts(batches, accumulate, goal, walked):
    position = Position(0)
    bodies = 0

    def advance() -> None:
        position.batch += 1
        position.group += 1
        if position.group == accumulate or position.batch == batches:
            position.step, position.group = position.step + 1, 0
        if position.batch == batches:
            position.epoch, position.batch = position.epoch + 1, 0

    while position.step < goal and bodies < walked:
        advance()
        bodies += 1
    expected = remaining_bodies(position, batches, accumulate, goal)
    for _ in range(expected):
        assert position.step < goal
        advance()
    assert position.step >= goal


@pytest.mark.parametrize("broken", [{}, {"seed": 1}, {"seed": "x", "step": 1, "epoch": 0, "batch": 0, "at": "body"}])
def test_a_position_that_is_none_is_refused(broken):
    with pytest.raises(FormatError):
        Position.from_json(broken)


def test_a_streamed_data_set_that_forgets_its_shuffle_buffer_is_not_called_exact():
    streamed = type("IterableDataset", (Remembering,), {"__module__": "datasets.iterable_dataset"})
    assert "shuffle buffer" in open_source(DataLoader(streamed(), batch_size=4), 7).caveat
    assert not open_source(DataLoader(Remembering(), batch_size=4), 7).caveat
    assert "read again" in open_source(DataLoader(Remembering(), batch_size=4, num_workers=1), 7).caveat


class Files(Dataset):
    """Reads the files of a list, as people write it."""

    def __init__(self, files: list) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)


def test_files_listed_in_another_order_are_noticed_and_another_folder_is_not():
    there = fingerprint(Files(["/content/a.png", "/content/b.png"]))
    assert not fingerprint_differences(there, fingerprint(Files([Path("/kaggle/a.png"), Path("/kaggle/b.png")])))
    (words,) = describe_differences(fingerprint_differences(there, fingerprint(Files(["/x/b.png", "/x/a.png"]))))
    assert "another order" in words
    assert "sorted" in words


def test_a_list_of_anything_else_is_left_alone():
    assert "files" not in fingerprint(Files([torch.zeros(1)]))


def test_what_an_older_release_did_not_look_at_is_no_difference():
    now = fingerprint(Files(["a"]))
    older = {k: v for k, v in now.items() if k != "files"}
    assert not fingerprint_differences(older, now)
