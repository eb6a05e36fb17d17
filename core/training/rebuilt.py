"""A DataLoader with a map-style dataset, built anew once with an order and seeds of ours; everything else stays as the user set it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate

from batonpass.core.training.fingerprint import fingerprint
from batonpass.core.training.order import Order, order_of
from batonpass.core.training.ranks import here
from batonpass.core.training.seeded_dataset import SeededDataset, WorkerStart, is_pure
from batonpass.core.training.seeds import derive
from batonpass.core.training.split import order_seed


class RebuiltLoader:
    """See `data.Source`. Order and augmentation are functions of (seed, epoch, index), for any number of workers."""

    ends_early = False
    caveat = ""

    def __init__(self, loader: DataLoader[Any], seed: int) -> None:
        self._seed = seed
        self._original = loader
        rank = here().rank
        self._order = order_of(loader.batch_sampler, loader.sampler, order_seed(loader, seed, rank))
        self._workers_seed = (
            derive(seed, "rank", rank) if rank else seed
        )  # what is drawn for a batch as a whole differs by process
        pure = is_pure(loader.dataset) and loader.collate_fn is default_collate
        self._feed = _Feed(self._order, batched=loader.batch_sampler is not None, with_epoch=not pure)
        self._generator = torch.Generator()
        dataset = loader.dataset if pure else SeededDataset(loader.dataset, seed)
        self._loader = _rebuild(loader, dataset, self._feed, self._generator)
        self.draws = not pure and loader.num_workers == 0
        self.batches = self._order.batches
        own_size = getattr(loader.batch_sampler, "batch_size", None) or loader.batch_size
        self.batch_size = own_size and own_size * self._order.parts

    def fingerprint(self) -> dict[str, Any]:
        """The dataset's, and which sampler orders it."""
        sampler = self._original.batch_sampler if self._original.batch_sampler is not None else self._original.sampler
        names = [type(s).__qualname__ for s in (sampler, getattr(sampler, "sampler", None)) if s is not None]
        return {"dataset": fingerprint(self._original.dataset), "sampler": names}

    def open(self, epoch: int, start: int) -> Iterator[Any]:
        """See `data.Source`."""
        self._feed.epoch, self._feed.start = epoch, start
        self._generator.manual_seed(derive(self._workers_seed, "workers", epoch))
        return iter(self._loader)

    def next_keys(self, epoch: int, batch: int) -> Any | None:
        """See `data.Source`."""
        return self._order.keys(epoch, batch)

    def drawn(self, batch: int) -> str | None:
        """See `data.Source`."""
        return self._order.drawn(batch)

    def state(self) -> None:
        """Nothing: the position says all."""

    def load_state(self, state: Any) -> None:
        """Nothing to load."""


class _Feed:
    """The (batch) sampler that the rebuilt loader is given; `epoch` and `start` are set before each iteration."""

    def __init__(self, order: Order, *, batched: bool, with_epoch: bool) -> None:
        self._order = order
        self._batched = batched
        self._with_epoch = with_epoch
        self.epoch = 0
        self.start = 0

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch
        for keys in self._order.iterate(epoch, self.start):
            if not self._with_epoch:
                yield keys
            else:
                yield [(epoch, key) for key in keys] if self._batched else (epoch, keys)


def _rebuild(loader: DataLoader[Any], dataset: Any, feed: _Feed, generator: torch.Generator) -> DataLoader[Any]:
    options: dict[str, Any] = (
        {"batch_sampler": feed} if loader.batch_sampler is not None else {"sampler": feed, "batch_size": None}
    )
    if loader.num_workers:
        options |= {
            "multiprocessing_context": loader.multiprocessing_context,
            "prefetch_factor": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers,
            "worker_init_fn": WorkerStart(loader.worker_init_fn),
        }
    if loader.pin_memory_device:
        options["pin_memory_device"] = loader.pin_memory_device
    return DataLoader(
        dataset,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        generator=generator,
        **options,
    )
