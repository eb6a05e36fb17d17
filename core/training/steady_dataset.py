"""Augmentation and collation that repeat: their random numbers depend on (seed, epoch, index) alone, whichever process fetches, and
however many batches were fetched before. For trainers that jump over batches on resume (Hugging Face's).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import Dataset

from batonpass.core.training.rng import held_streams, read_streams
from batonpass.core.training.seeds import derive


class SteadyDataset(Dataset[Any]):
    """A map-style dataset with the same keys. `epoch` is set before each pass; every other attribute is the inner dataset's."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # not there yet while it is unpickled in a worker
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        """One sample; the streams go on as if nothing had been drawn."""
        with held_streams(derive(self.seed, "sample", self.epoch, key)):
            return self.dataset[key]

    def __getitems__(self, keys: list[Any]) -> _Samples:
        """A batch, which remembers what its collation is to be seeded with."""
        return _Samples((self[key] for key in keys), derive(self.seed, "collate", self.epoch, *keys))


class SteadyCollate:
    """A collate function whose random numbers (masking, padding to a random length) depend on the batch alone."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, samples: Any) -> Any:
        """Collate; seeded where the samples come from a `SteadyDataset`."""
        if not isinstance(samples, _Samples):
            return self._function(samples)
        with held_streams(samples.seed):
            return self._function(list(samples))


def fetching_draws(loader: Any, *, samples: int = 2) -> bool:
    """Whether fetching and collating uses the random streams of Python, NumPy or torch, found out by fetching the first few samples of
    a map-style loader. The streams go on as if nothing had been drawn. Whatever the dataset raises.
    """
    count = min(samples, len(loader.dataset))
    with held_streams(0):
        before = read_streams()
        loader.collate_fn([loader.dataset[index] for index in range(count)])
        after = read_streams()
    numpy_moved = str(before.numpy.full["state"]) != str(after.numpy.full["state"])
    return before.python != after.python or numpy_moved or not torch.equal(before.cpu, after.cpu)


class _Samples(list[Any]):
    def __init__(self, samples: Any, seed: int) -> None:
        super().__init__(samples)
        self.seed = seed
