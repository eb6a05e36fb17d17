"""What a loop iterates over, made resumable: `open_source` finds the best way for the loader it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset, IterableDataset

from batonpass.core.errors import UsageError
from batonpass.core.training.iterables import IterableSource, SequenceSource
from batonpass.core.training.rebuilt import RebuiltLoader


class Source(Protocol):
    """Batches by (epoch, number). The caller keeps the random streams still round `open` and, where `draws`, round each `next`."""

    @property
    def batches(self) -> int | None:
        """Per epoch; None where only the end of an epoch tells."""

    @property
    def batch_size(self) -> int | None:
        """Samples per batch where that is fixed; of all processes together where they share one order."""

    @property
    def draws(self) -> bool:
        """Fetching in this process may use the random streams."""

    @property
    def looks_ahead(self) -> bool:
        """One batch may be fetched before it is needed, to find the end of an epoch."""

    @property
    def caveat(self) -> str:
        """Why a resume inside an epoch may not be exact; empty where it is."""

    def fingerprint(self) -> dict[str, Any]:
        """A JSON tree to recognise the data by."""

    def open(self, epoch: int, start: int) -> Iterator[Any]:
        """The batches of an epoch from number `start` on."""

    def next_keys(self, epoch: int, batch: int) -> Any | None:
        """The dataset keys of a batch, without fetching it; None where they cannot be known."""

    def state(self) -> Any:
        """What the loader itself wants stored in the middle of an epoch, or None."""

    def load_state(self, state: Any) -> None:
        """Give it back before the next `open`."""


def open_source(loader: Any, seed: int) -> Source:
    """The source for a DataLoader, a sequence or any iterable of batches. UsageError when it cannot be iterated."""
    if callable(getattr(loader, "state_dict", None)) and callable(getattr(loader, "load_state_dict", None)):
        return IterableSource(loader, seed, keeps_state=True)
    if isinstance(loader, DataLoader):
        own_iteration = type(loader).__iter__ is not DataLoader.__iter__
        if not own_iteration and not isinstance(loader.dataset, IterableDataset):
            return RebuiltLoader(loader, seed)
        return IterableSource(loader, seed)
    indexable = hasattr(loader, "__getitem__") and hasattr(loader, "__len__") and not isinstance(loader, Mapping)
    if indexable and (isinstance(loader, Sequence | Dataset) or not hasattr(loader, "__iter__")):
        return SequenceSource(loader)
    if not hasattr(loader, "__iter__"):
        raise UsageError(
            f"run.steps cannot iterate over a {type(loader).__qualname__}",
            hint="give it a DataLoader, a list of batches or any iterable of batches",
        )
    return IterableSource(loader, seed)
