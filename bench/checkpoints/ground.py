"""What the measures stand on: states to save, and runs on a folder store, through the product's own doors."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from batonpass.core.model import Manifest
from batonpass.core.training.attached import Attached


def _adamw(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-3)


@dataclass(slots=True)
class State:
    """A model under AdamW that has stepped once, and the same two objects attached."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    attached: Attached

    def step(self) -> None:
        """Change every parameter and both moments, in place."""
        for parameter in self.model.parameters():
            parameter.grad = torch.randn_like(parameter)
        self.optimizer.step()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every tensor of both state dicts by name; the live ones."""
        return flat({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()})

    def digest(self) -> str:
        """One sha256 over the bytes of all of them."""
        return digest_of(self.tensors())


def make_state(width: int, layers: int, *, seed: int = 1, make: Callable[..., torch.optim.Optimizer] = _adamw) -> State:
    """`layers` square layers of `width` in fp32: 12 x width x width x layers bytes with AdamW's moments."""
    torch.manual_seed(seed)
    model = nn.Sequential(*[nn.Linear(width, width) for _ in range(layers)])
    optimizer = make(model.parameters())
    attached = Attached()
    attached.add(model=model, optimizer=optimizer)
    state = State(model, optimizer, attached)
    state.step()
    return state


def flat(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of the two state dicts by name."""
    found = {f"model.{name}": tensor for name, tensor in state["model"].items()}
    for index, slots in state["optimizer"]["state"].items():
        found |= {f"optimizer.{index}.{slot}": tensor for slot, tensor in slots.items()}
    return found


def digest_of(tensors: dict[str, torch.Tensor]) -> str:
    """One sha256 over names and bytes."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def draft(step: int) -> Manifest:
    """A manifest without files, for what is written without a run."""
    return Manifest("benchrun", "20261126t120000-0a0b0c", 1, step, 0.0, datetime.now(UTC), ())


@contextlib.contextmanager
def home(folder: Path) -> Iterator[None]:
    """Batonpass keeps its things in this folder meanwhile: another machine's, in effect."""
    before = os.environ.get("BATONPASS_HOME")
    os.environ["BATONPASS_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("BATONPASS_HOME")
        if before is not None:
            os.environ["BATONPASS_HOME"] = before


@contextlib.contextmanager
def silent() -> Iterator[io.StringIO]:
    """What would be printed goes into the text that this yields."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield text
