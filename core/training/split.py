"""How an epoch is divided among the processes of a training on several GPUs.

`DistributedSampler` deals one common order out in turns, so batch b of all processes together is one stretch of that order: with the same
number of samples in it, the same samples make up batch b whatever the number of processes. Positions count in such common batches.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from batonpass.core.training.ranks import here
from batonpass.core.training.seeds import derive

if TYPE_CHECKING:
    from batonpass.core.training.data import Source
    from batonpass.core.training.loop import TrainingLoop

_FOR_ONE_PROCESS = (RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler)


class SplitOrder:
    """See `order.Order`: the share that torch's own DistributedSampler gives to this process. Its order is a function of the sampler's seed
    and the epoch.
    """

    def __init__(self, sampler: DistributedSampler[Any], batch_size: int | None, *, drop_last: bool) -> None:
        self._sampler = sampler
        self._size = batch_size or 1
        self._single = batch_size is None
        samples = len(sampler)
        self.parts = sampler.num_replicas
        self.batches: int | None = samples // self._size if drop_last else -(-samples // self._size)
        self._drawn: tuple[int, list[list[int]]] = (-1, [])

    def iterate(self, epoch: int, start: int) -> Iterator[Any]:
        """See `order.Order`."""
        self._sampler.set_epoch(epoch)
        mine = islice(iter(self._sampler), start * self._size, None)
        for _ in range(start, self.batches or 0):
            keys = list(islice(mine, self._size))
            yield keys[0] if self._single else keys

    def keys(self, epoch: int, batch: int) -> list[int]:
        """The keys of this batch in all processes together, in the common order."""
        if self._drawn[0] != epoch:
            self._drawn = (epoch, [self._share(rank, epoch) for rank in range(self.parts)])
        first = batch * self._size
        shares = [share[first : first + self._size] for share in self._drawn[1]]
        return [share[i] for i in range(max(map(len, shares))) for share in shares if i < len(share)]

    def drawn(self, batch: int) -> None:  # all of them are known in advance
        """See `order.Order`."""

    def _share(self, rank: int, epoch: int) -> list[int]:
        dealer = copy.copy(self._sampler)
        dealer.rank = rank
        dealer.set_epoch(epoch)
        return list(dealer)


def order_seed(loader: DataLoader[Any], seed: int, rank: int) -> int:
    """What the sampler's order is drawn from: torch's samplers for one process must not draw the same in each; all else shares the seed."""
    return derive(seed, "rank", rank) if rank and _for_one_process(loader) else seed


def count_anew(loop: TrainingLoop, known: dict[str, Any] | None, source: Source) -> dict[str, Any] | None:
    """Right after a restore from the position `known`: the batches that are finished in batches of today's size. Returns `known` as it then is."""
    then, size, now = (known or {}).get("batch_size"), source.batch_size, loop.now
    if known is None or type(then) is not int or size in (None, then) or (now.at == "tail" and now.whole_epoch):
        return known
    now.batch, again = divmod(now.batch * then, size)
    loop.doubt(
        f"batches of {then} samples then, {size} now: going on at the same sample"
        + (f" but {again}, which come again" if again else "")
    )
    return {**known, "batch_size": size, "next": None}


def warning(loader: Any) -> str:
    """What to say about a loader that does not divide the data among the processes; empty where it does, or cannot be judged."""
    size = here().size
    if size == 1 or not isinstance(loader, DataLoader) or not _for_one_process(loader):
        return ""
    same = isinstance(_inner(loader), SequentialSampler)
    what = (
        "every process is given the same batches"
        if same
        else f"every process goes through all of the data, {size} times in all an epoch"
    )
    return (
        f"batonpass: {what}: this loader has no DistributedSampler; "
        "give it DataLoader(..., sampler=DistributedSampler(dataset)) to divide an epoch among them"
    )


def _inner(loader: DataLoader[Any]) -> Any:
    sampler = loader.batch_sampler
    return sampler.sampler if type(sampler) is BatchSampler else loader.sampler


def _for_one_process(loader: DataLoader[Any]) -> bool:
    if loader.batch_sampler is not None and type(loader.batch_sampler) is not BatchSampler:
        return False
    return type(_inner(loader)) in _FOR_ONE_PROCESS
