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
    def ends_early(self) -> bool:
        """Its state may say that the epoch is over when the last batch was given and nobody knows yet that it was the last."""

    @property
    def caveat(self) -> str:
        """Why a resume inside an epoch may not be exact; empty where it is."""

    def fingerprint(self) -> dict[str, Any]:
        """A JSON tree to recognise the data by."""

    def open(self, epoch: int, start: int) -> Iterator[Any]:
        """The batches of an epoch from number `start` on."""

    def next_keys(self, epoch: int, batch: int) -> Any | None:
        """The dataset keys of a batch, without fetching it; None where they cannot be known."""

    def drawn(self, batch: int) -> str | None:
        """A hash of the keys of a batch that was drawn in this epoch; None where `next_keys` knows them, or nobody does."""

    def state(self) -> Any:
        """What the loader itself wants stored in the middle of an epoch, or None: of the batches given so far."""

    def load_state(self, state: Any) -> None:
        """Give it back before the next `open`."""


def open_source(loader: Any, seed: int) -> Source:
    """The source for a DataLoader, a sequence or any iterable of batches. UsageError when it cannot be iterated."""
    if isinstance(loader, DataLoader) and _can_be_rebuilt(loader):
        return RebuiltLoader(loader, seed)
    if keeps_state(loader):
        return IterableSource(
            loader, seed, keeper=loader, caveat="the loader restored its own position; its augmentation may differ"
        )
    if isinstance(loader, DataLoader):
        in_this_process = type(loader) is DataLoader and loader.num_workers == 0
        if in_this_process and keeps_state(
            loader.dataset
        ):  # nothing is fetched ahead, so its state is that of the batches given
            return IterableSource(loader, seed, keeper=loader.dataset, caveat=_caveat_of(loader.dataset))
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


def keeps_state(target: Any) -> bool:
    """It can tell where it stands, and be put there."""
    return callable(getattr(target, "state_dict", None)) and callable(getattr(target, "load_state_dict", None))


def _caveat_of(dataset: Any) -> str:
    """Hugging Face's streamed data sets store their place in the files, and not what their shuffle buffer holds (their own documentation)."""
    if type(dataset).__module__.partition(".")[0] != "datasets":
        return ""
    return (
        "the data set restored its own position; what its shuffle buffer held is lost, so a shuffled order may differ"
    )


def _can_be_rebuilt(loader: DataLoader[Any]) -> bool:
    """A map-style dataset behind torch's own iteration, or behind torchdata's loader where nothing but the loader keeps a state:
    its own state would bring back the order but not the augmentation.
    """
    if isinstance(loader.dataset, IterableDataset):
        return False
    if type(loader).__iter__ is DataLoader.__iter__:
        return not keeps_state(loader)
    stock = type(loader).__module__.startswith("torchdata.stateful_dataloader.")
    return stock and not any(map(keeps_state, (loader.dataset, loader.sampler, loader.batch_sampler)))
