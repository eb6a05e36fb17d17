"""Sources that are not a map-style DataLoader: sequences, which are indexed, and iterables, which can only be read on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from batonpass.core.errors import UsageError
from batonpass.core.training.fingerprint import fingerprint
from batonpass.core.training.rng import held_streams
from batonpass.core.training.seeds import derive


class SequenceSource:
    """A list of batches, or anything else with a length and an index. See `data.Source`."""

    batch_size = None
    ends_early = False
    caveat = ""

    def __init__(self, batches: Any) -> None:
        self._items = batches
        self.batches: int | None = len(batches)
        self.draws = not isinstance(batches, list | tuple)

    def fingerprint(self) -> dict[str, Any]:
        """Its type and length."""
        return fingerprint(self._items)

    def open(self, epoch: int, start: int) -> Iterator[Any]:  # noqa: ARG002  # no epoch differs from another
        """See `data.Source`. The order is the sequence's own in every epoch."""
        return (self._items[i] for i in range(start, len(self._items)))

    def next_keys(self, epoch: int, batch: int) -> int:  # noqa: ARG002  # see above
        """See `data.Source`."""
        return batch

    def drawn(self, batch: int) -> None:
        """See `data.Source`."""

    def state(self) -> None:
        """Nothing: the position says all."""

    def load_state(self, state: Any) -> None:
        """Nothing to load."""


@dataclass(slots=True)
class _LivePass:
    """An iteration under way, and the batch it gave last, so that a batch can be given again without reading everything anew."""

    epoch: int
    iterator: Iterator[Any]
    given: int
    last: Any = field(default=None, repr=False)


_READ_AGAIN = "the loader cannot jump: what was used is read again and thrown away, the same only if the loader itself is repeatable"


class IterableSource:
    """Any iterable of batches. It is seeded at the start of each epoch and read on; on resume what was used is read and thrown away,
    or, with a `keeper` (the loader itself or its dataset), that one's `load_state_dict` jumps there. See `data.Source`.
    """

    batch_size = None
    draws = True

    def __init__(self, loader: Any, seed: int, *, keeper: Any = None, caveat: str = _READ_AGAIN) -> None:
        self._loader = loader
        self._seed = seed
        self._keeper = keeper
        self.ends_early = keeper is not None and keeper is not loader
        self._live: _LivePass | None = None
        self._loaded: Any = None
        self._once = isinstance(loader, Iterator)
        self._used = False
        self.batches = None
        self.caveat = caveat

    def fingerprint(self) -> dict[str, Any]:
        """Types, and the dataset behind it where there is one."""
        dataset = getattr(self._loader, "dataset", None)
        return {"type": type(self._loader).__qualname__, "dataset": None if dataset is None else fingerprint(dataset)}

    def open(self, epoch: int, start: int) -> Iterator[Any]:
        """See `data.Source`. An iterator that can be used only once goes on from where it stands."""
        live = self._live
        if live is None or (live.epoch, live.given) not in {(epoch, start), (epoch, start + 1)}:
            live = self._live = self._begin(epoch, start)
        return self._batches(live, again=live.given == start + 1)

    def next_keys(self, epoch: int, batch: int) -> None:
        """Never known in advance."""

    def drawn(self, batch: int) -> None:
        """Never known at all."""

    def state(self) -> Any:
        """The loader's own, in the middle of an epoch."""
        return self._keeper.state_dict() if self._keeper is not None and self._live is not None else None

    def load_state(self, state: Any) -> None:
        """For the next `open`."""
        self._loaded = state if self._keeper is not None else None
        self._live = None

    def _begin(self, epoch: int, start: int) -> _LivePass:
        if self._once and self._used:
            raise UsageError(
                "this iterator has been read already and cannot go back",
                hint="give run.steps a DataLoader, a list of batches or an object that can be iterated again and again",
            )
        self._used = True
        loaded, self._loaded = self._loaded, None
        if loaded is not None and start:
            self._keeper.load_state_dict(loaded)
            return _LivePass(epoch, iter(self._loader), start)
        for owner in (self._loader, getattr(self._loader, "sampler", None), getattr(self._loader, "dataset", None)):
            if callable(set_epoch := getattr(owner, "set_epoch", None)):
                set_epoch(epoch)
        if isinstance(generator := getattr(self._loader, "generator", None), torch.Generator):
            generator.manual_seed(derive(self._seed, "generator", epoch))
        with held_streams(derive(self._seed, "iterator", epoch)):
            live = _LivePass(epoch, iter(self._loader), 0)
        while live.given < start:
            with held_streams(derive(self._seed, "fetch", epoch, live.given)):
                if next(live.iterator, _END) is _END:
                    break
            live.given += 1
        return live

    def _batches(self, live: _LivePass, *, again: bool) -> Iterator[Any]:
        if again:
            yield live.last
        for batch in live.iterator:
            live.given += 1
            live.last = batch
            yield batch
        if self._live is live:
            self._live = None


_END = object()
