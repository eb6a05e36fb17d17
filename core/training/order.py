"""Which samples make up batch b of epoch e: as arithmetic where the sampler is one we know, else by letting the sampler draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from torch.utils.data.distributed import DistributedSampler

from batonpass.core.training.fingerprint import digest_keys
from batonpass.core.training.rng import held_streams
from batonpass.core.training.seeds import derive, permutation
from batonpass.core.training.split import SplitOrder

Keys = Any
"""A list of dataset keys (a batch), or one key where the loader does not batch."""

_REMEMBERED = 4096
"""Batches whose hashes are kept: more than any loader draws ahead."""


class Order(Protocol):
    """The batches of every epoch."""

    @property
    def batches(self) -> int | None:
        """Per epoch; None where only the end of an epoch tells."""

    @property
    def parts(self) -> int:
        """How many processes share each batch; what `keys` tells is the whole of it."""

    def iterate(self, epoch: int, start: int) -> Iterator[Keys]:
        """The batches of an epoch from number `start` on."""

    def keys(self, epoch: int, batch: int) -> Keys | None:
        """One batch without touching any iteration; None where that is not possible."""

    def drawn(self, batch: int) -> str | None:
        """A hash of the keys of a batch that the latest iteration has drawn; None where `keys` knows them anyway, or none is known."""


class IndexedOrder:
    """Straight or shuffled indices: any batch of any epoch at once. O(samples) work per epoch when shuffled, O(batch) per batch.

    `shuffle_seed` None keeps the order of the dataset; `batch_size` None yields single indices.
    """

    parts = 1

    def __init__(self, samples: int, batch_size: int | None, *, drop_last: bool, shuffle_seed: int | None) -> None:
        self._samples = samples
        self._size = batch_size or 1
        self._single = batch_size is None
        self._seed = shuffle_seed
        self.batches: int | None = samples // self._size if drop_last else -(-samples // self._size)
        self._permutations: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}

    def iterate(self, epoch: int, start: int) -> Iterator[Keys]:
        """See Order."""
        return (self.keys(epoch, b) for b in range(start, self.batches or 0))

    def keys(self, epoch: int, batch: int) -> Keys:
        """See Order."""
        first = batch * self._size
        last = min(first + self._size, self._samples)
        indices = list(range(first, last)) if self._seed is None else self._permutation(epoch)[first:last].tolist()
        return indices[0] if self._single else indices

    def drawn(self, batch: int) -> None:
        """See Order."""

    def _permutation(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        if epoch not in self._permutations:
            assert self._seed is not None
            for old in [e for e in self._permutations if e < epoch - 1]:
                del self._permutations[old]
            self._permutations[epoch] = permutation(self._samples, derive(self._seed, "order", epoch))
        return self._permutations[epoch]


class DrawnOrder:
    """Any other sampler: seeded at the start of each epoch and iterated; what lies before `start` is drawn and thrown away."""

    parts = 1

    def __init__(self, sampler: Any, seed: int) -> None:
        self._sampler = sampler
        self._seed = seed
        self._drawn: dict[int, str] = {}
        self.batches = len(sampler) if _tells_its_length(sampler) else None

    def iterate(self, epoch: int, start: int) -> Iterator[Keys]:
        """See Order. Each draw happens in streams of its own, so that it neither depends on nor disturbs the training's."""
        with held_streams(derive(self._seed, "sampler", epoch)):
            for owner in (self._sampler, getattr(self._sampler, "sampler", None)):
                if callable(set_epoch := getattr(owner, "set_epoch", None)):
                    set_epoch(epoch)
                if isinstance(generator := getattr(owner, "generator", None), torch.Generator):
                    generator.manual_seed(derive(self._seed, "generator", epoch))
            drawn = iter(self._sampler)
        batch = 0
        self._drawn = digests = {}
        while True:
            with held_streams(derive(self._seed, "sampler", epoch, batch)):
                try:
                    keys = next(drawn)
                except StopIteration:
                    return
            digests[batch] = digest_keys(keys)
            digests.pop(batch - _REMEMBERED, None)
            if batch >= start:
                yield keys
            batch += 1

    def keys(self, epoch: int, batch: int) -> None:
        """Never known in advance."""

    def drawn(self, batch: int) -> str | None:
        """See Order."""
        return self._drawn.get(batch)


def order_of(batch_sampler: Any, sampler: Any, seed: int) -> Order:
    """The order of a DataLoader with these samplers (`batch_sampler` None: it does not batch)."""
    inner: Any = batch_sampler.sampler if type(batch_sampler) is BatchSampler else sampler
    size, drop = (
        (batch_sampler.batch_size, batch_sampler.drop_last) if type(batch_sampler) is BatchSampler else (None, False)
    )
    if type(inner) is DistributedSampler and (batch_sampler is None or type(batch_sampler) is BatchSampler):
        return SplitOrder(inner, size, drop_last=drop)
    known = type(inner) is SequentialSampler or (type(inner) is RandomSampler and _draws_each_once(inner))
    if known and (batch_sampler is None or type(batch_sampler) is BatchSampler):
        shuffle = seed if type(inner) is RandomSampler else None
        return IndexedOrder(len(inner.data_source), size, drop_last=drop, shuffle_seed=shuffle)
    return DrawnOrder(sampler if batch_sampler is None else batch_sampler, seed)


def _draws_each_once(sampler: RandomSampler) -> bool:
    return not sampler.replacement and sampler.num_samples == len(sampler.data_source)


def _tells_its_length(sampler: Any) -> bool:
    """Only torch's own samplers are believed: a length that is too small would lose batches."""
    inner = sampler.sampler if type(sampler) is BatchSampler else sampler
    exact = (RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler, DistributedSampler)
    return type(inner) in exact
