"""Another trainer's loader goes on inside an epoch at the very next batch, and augmentation can be made to repeat."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from batonpass.core.errors import FormatError
from batonpass.core.training.replay import ReplayLoader
from batonpass.core.training.rng import capture_rng, restore_rng
from batonpass.core.training.steady_dataset import SteadyCollate, SteadyDataset, fetching_draws


class Noisy(Dataset):
    """Each sample draws from all three streams."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(1).item()  # noqa: NPY002  # the stream that augmentations use
        return torch.tensor([float(index), noise])


def loader(workers=0, generator=None):
    return DataLoader(Noisy(), batch_size=3, shuffle=True, num_workers=workers, generator=generator)


@pytest.mark.parametrize("own_generator", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_at_the_next_batch(workers, own_generator):
    def generator(seed):
        return torch.Generator().manual_seed(seed) if own_generator else None

    torch.manual_seed(1)
    first = ReplayLoader(loader(workers, generator(1)))
    list(first)  # an epoch that is over
    batches = iter(first)
    for _ in range(4):
        next(batches)
        torch.rand(3)  # dropout
    position, rng = first.position(4), capture_rng()
    expected = list(batches)

    torch.manual_seed(2)
    second = ReplayLoader(loader(workers, generator(2)))
    second.go_on(position)
    restore_rng(rng)
    found = list(second)
    assert len(found) == len(expected) == 3
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_without_the_epochs_start_the_rest_is_another_one():
    """The negative control: the streams alone do not bring the order back."""
    torch.manual_seed(1)
    batches = iter(loader())
    for _ in range(4):
        next(batches)
    rng, expected = capture_rng(), list(batches)
    restore_rng(rng)
    found = list(itertools.islice(loader(), 4, None))
    assert not all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_batch_that_was_fetched_ahead_is_given_again():
    torch.manual_seed(1)
    first = ReplayLoader(loader())
    batches = iter(first)
    given = [next(batches) for _ in range(5)]
    position, rng = first.position(4), capture_rng()  # the fifth waits to be trained on
    expected = [given[4], *batches]
    second = ReplayLoader(loader())
    second.go_on(position)
    restore_rng(rng)
    assert all(torch.equal(a, b) for a, b in zip(second, expected, strict=True))


def test_it_is_the_loader_in_everything_else():
    inner = loader()
    wrapped = ReplayLoader(inner)
    assert (len(wrapped), wrapped.batch_size, wrapped.dataset) == (7, 3, inner.dataset)
    before = capture_rng()["torch"]
    iter(wrapped)
    assert torch.equal(capture_rng()["torch"], before)  # nothing is drawn before the first batch


@pytest.mark.parametrize(
    "position", [{}, {"start": {}, "fetched": 2, "used": 3}, {"start": 1, "fetched": 1, "used": 1}]
)
def test_a_damaged_position_is_refused(position):
    with pytest.raises(FormatError):
        ReplayLoader(loader()).go_on(position)


def steady(workers):
    dataset = SteadyDataset(Noisy(), seed=5)
    dataset.epoch = 2
    return DataLoader(dataset, batch_size=3, num_workers=workers, collate_fn=SteadyCollate(mask))


def mask(samples):
    return torch.stack(samples) * (torch.rand(len(samples), 2) > 0.5)


def test_a_steady_data_set_repeats_whatever_was_drawn_before_and_whoever_fetches():
    expected = list(steady(0))
    torch.rand(7)
    random.random()
    found = list(steady(2))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    before = capture_rng()["torch"]
    steady(0).dataset[3]
    assert torch.equal(capture_rng()["torch"], before)


def test_another_epoch_or_seed_draws_other_numbers():
    """The negative control of the above."""
    one, other = steady(0), steady(0)
    other.dataset.epoch = 3
    assert not torch.equal(next(iter(one)), next(iter(other)))


def test_whether_fetching_draws_is_found_out_without_a_trace():
    before = capture_rng()
    assert fetching_draws(loader())
    assert fetching_draws(DataLoader(torch.arange(4.0), collate_fn=mask_scalars))
    assert not fetching_draws(DataLoader(torch.arange(4.0)))
    assert torch.equal(capture_rng()["torch"], before["torch"])


def mask_scalars(samples):
    return torch.stack(samples) * torch.rand(len(samples))
