"""A dataset whose random augmentation depends on (seed, epoch, index) alone, whichever process fetches the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, get_worker_info

from batonpass.core.training.seeds import derive, seed_streams


class SeededDataset(Dataset[Any]):
    """Wraps a map-style dataset; its keys are (epoch, key of the inner dataset). It seeds before each sample and leaves putting
    the streams back to its caller (in a worker nobody else uses them).
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, Any]) -> Any:
        """One sample."""
        epoch, inner = key
        seed_streams(derive(self._seed, "sample", epoch, inner))
        return self.dataset[inner]

    def __getitems__(self, keys: list[tuple[int, Any]]) -> Any:
        """A batch at once where the inner dataset can; then the batch as a whole decides the seed."""
        many = getattr(self.dataset, "__getitems__", None)
        if not many or not keys:
            return [self[key] for key in keys]
        inner = [key for _, key in keys]
        seed_streams(derive(self._seed, "samples", keys[0][0], *inner))
        return many(inner)


class WorkerStart:
    """Runs the user's `worker_init_fn` in a worker, and lets `get_worker_info().dataset` be the user's dataset, not our wrapper."""

    def __init__(self, user_function: Callable[[int], Any] | None) -> None:
        self._user_function = user_function

    def __call__(self, worker_id: int) -> None:
        """Called by torch at the start of a worker process."""
        info = get_worker_info()
        if info is not None and isinstance(info.dataset, SeededDataset):
            object.__setattr__(info, "dataset", info.dataset.dataset)
        if self._user_function is not None:
            self._user_function(worker_id)


def is_pure(dataset: Any) -> bool:
    """Whether fetching a sample certainly draws nothing at random: exactly torch's own tensor datasets, or plain sequences."""
    if type(dataset) is Subset:
        return is_pure(dataset.dataset)
    if type(dataset) is ConcatDataset:
        return all(is_pure(d) for d in dataset.datasets)
    return type(dataset) in {TensorDataset, list, tuple, range}
