"""What can be said about another trainer's checkpoint without loading it: its step, its epoch, and what an exact resume would miss."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from batonpass.sync.structure import can_be_checked

_STEP = re.compile(r"(?:global_step|step|checkpoint|iter)[=_-]?(\d{1,15})", re.IGNORECASE)
_EPOCH = re.compile(r"epoch[=_-]?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the training stood; None where neither name nor content says."""

    step: int | None
    epoch: float


def read_position(path: Path) -> Position:
    """From `trainer_state.json` where there is one, else from the name: "checkpoint-500", "step=500", "epoch=3"."""
    if path.is_dir():
        state = _trainer_state(path)
        step, epoch = state.get("global_step"), state.get("epoch")
        if isinstance(step, int) and step >= 0:
            number = float(epoch) if isinstance(epoch, (int, float)) and math.isfinite(epoch) else 0.0
            return Position(step, number)
    steps, epochs = _STEP.search(path.name), _EPOCH.search(path.name)
    epoch = float(epochs[1]) if epochs else 0.0
    if steps:
        return Position(int(steps[1]), epoch)
    return Position(int(epochs[1]) if epochs else None, epoch)


def what_is_missing(path: Path, names: Collection[str]) -> tuple[str, ...]:
    """What its format is known to lack for an exact resume by its own trainer, one sentence each. `names` are its files."""
    if path.is_dir():
        files = {name.rsplit("/", maxsplit=1)[-1] for name in names}
        parts = (
            ("optimizer", "the optimizer's state"),
            ("scheduler", "the scheduler's state"),
            ("rng_state", "the random number generators"),
        )
        return tuple(f"{what} ({stem}.*) is not in it" for stem, what in parts if not _any_starts(files, stem))
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return ("it holds tensors only: no random number state and no position in the data",)
    if suffix == ".ckpt":
        return (
            "a Lightning checkpoint holds no random number state, and a position in the data only if its loader has one",
        )
    if suffix in (".keras", ".h5"):
        return ("it holds no random number state and no position in the data",)
    found = ["what is inside was not looked at: it is a pickle"]
    if not can_be_checked(path):
        found.append("its old format does not say where it ends, so only its trainer can tell whether it is whole")
    return tuple(found)


def _trainer_state(folder: Path) -> dict[str, object]:
    try:
        tree = json.loads((folder / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _any_starts(names: Collection[str], stem: str) -> bool:
    return any(name.startswith(stem) for name in names)
