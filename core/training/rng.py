"""The random streams of this process: read, put back, and held still while something else uses them."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from batonpass.core.errors import FormatError
from batonpass.core.training.environment import cuda_in_use
from batonpass.core.training.seeds import seed_streams


def capture_rng() -> dict[str, Any]:
    """The state of Python's, NumPy's legacy, torch's CPU stream and that of every CUDA device in use, as a tree for the encoder."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002  # it is this stream that must go on
        "torch": torch.default_generator.get_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda_in_use() else [],
    }


def restore_rng(tree: dict[str, Any]) -> list[str]:
    """Put the streams back; returns what this machine has no place for, one sentence each. FormatError when it is no such tree."""
    try:
        random.setstate(tree["python"])
        np.random.set_state(tree["numpy"])  # noqa: NPY002  # see above
        torch.default_generator.set_state(tree["torch"].clone())
        stored = list(tree["cuda"])
        devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        for index, state in enumerate(stored[:devices]):
            torch.cuda.set_rng_state(state.clone(), index)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise FormatError(
            f"the stored random state cannot be used ({error})", hint="the file may be damaged"
        ) from error
    if len(stored) > devices:
        return [f"the random stream of {len(stored) - devices} CUDA device(s) that this machine does not have"]
    if stored and devices > len(stored):
        return [f"the random stream of {devices - len(stored)} CUDA device(s) that the other machine did not have"]
    return []


class HeldStreams:
    """While entered, the CPU streams are seeded for one purpose; afterwards they go on as if nothing had been drawn.

    A context manager to be entered again and again by one thread (about 0.1 ms each, nearly all of it NumPy's).
    """

    def __init__(self) -> None:
        self._seed = 0

    def seeded(self, seed: int) -> Self:
        """Seed the streams with this on entering."""
        self._seed = seed
        return self

    def __enter__(self) -> Self:
        self._python = random.getstate()
        self._numpy = np.random.get_state(legacy=False)  # noqa: NPY002  # see above
        self._torch = torch.default_generator.get_state()
        seed_streams(self._seed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002  # see above
        torch.default_generator.set_state(self._torch)
