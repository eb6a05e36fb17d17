"""Models, samplers and datasets of the kind that people write themselves, for the recipes."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.utils.data import IterableDataset


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.coder = nn.Linear(8, 8, bias=False)
        self.decoder = nn.Linear(8, 8, bias=False)
        self.decoder.weight = self.coder.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.coder(x).relu())[:, :3]


class Late(nn.Module):
    """A part that takes part only after some steps: its optimizer state comes into being then, and the frozen part's never."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.late, self.never = nn.Linear(8, 3), nn.Linear(8, 3), nn.Linear(8, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.first(x) + (self.late(x) if self.calls > 4 else 0)


class EveryThird:
    """A sampler of the user's own, with torch's stream."""

    def __iter__(self):
        yield from (3 * i for i in torch.randperm(10).tolist())

    def __len__(self) -> int:
        return 10


class Buckets:
    """A batch sampler of the user's own, with Python's stream and uneven batches."""

    def __iter__(self):
        numbers = list(range(30))
        random.shuffle(numbers)
        while numbers:
            size = random.randint(2, 5)
            yield numbers[:size] + numbers[:1]
            numbers = numbers[size:]


class Counting:
    """A sampler that counts its own passes: in a new process it begins to count anew."""

    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        yield from random.Random(self.passes).sample(range(30), 30)

    def __len__(self) -> int:
        return 30


class CountingByEpoch(Counting):
    """The same as it should be."""

    def set_epoch(self, epoch: int) -> None:
        self.passes = epoch


class Remembering(IterableDataset):
    """Stands in the middle of its file, and says where."""

    def __init__(self) -> None:
        self.line = 0

    def __iter__(self):
        while self.line < 26:
            self.line += 1
            yield torch.randn(8) + self.line, torch.tensor(self.line % 3)
        self.line = 0

    def state_dict(self) -> dict[str, int]:
        return {"line": self.line}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.line = state["line"]
