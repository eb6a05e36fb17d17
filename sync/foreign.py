"""What can be said about another trainer's checkpoint without loading it: its step, its epoch, and what an exact resume would miss."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from batonpass.core.sidecar import EMBEDDED_KEY, Facts, parse_facts, read_facts
from batonpass.sync.peeking import keras_has_optimizer, words_in_pickle
from batonpass.sync.structure import can_be_checked

_STEP = re.compile(r"(?:global_step|step|checkpoint|iter)[=_-]?(\d{1,15})", re.IGNORECASE)
_EPOCH = re.compile(r"epoch[=_-]?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the training stood; None where neither name nor content says."""

    step: int | None
    epoch: float


def read_position(path: Path) -> Position:
    """From `trainer_state.json` where there is one, else from the name ("checkpoint-500", "step=500", "epoch=3"); a name without a
    step stands back behind the side-car, which knows it.
    """
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
    facts = _facts_of(path)
    if facts is not None:
        return Position(facts.step, epoch)
    return Position(int(epochs[1]) if epochs else None, epoch)


def _facts_of(path: Path) -> Facts | None:
    """The side-car's facts, beside the checkpoint or (Lightning) inside it."""
    if path.suffix.lower() != ".ckpt":
        return read_facts(path)
    words = words_in_pickle(path)
    return _embedded_facts(words) if words and EMBEDDED_KEY in words else None


def what_is_missing(path: Path, names: Collection[str]) -> tuple[str, ...]:
    """What it lacks for an exact resume by its own trainer, one sentence each, with its side-car taken into account.

    `names` are its files. Nothing is loaded: a pickle is only searched for the names that it speaks of.
    """
    facts = read_facts(path)
    if path.is_dir():
        return (*_missing_in_folder(names), *_missing_beside(facts))
    suffix = path.suffix.lower()
    if suffix == ".ckpt":
        return _missing_in_lightning(path)
    if suffix in (".keras", ".h5"):
        return (*_missing_in_keras(path), *_missing_beside(facts, _NO_STREAMS_IN_KERAS))
    if suffix == ".safetensors":
        return ("it holds tensors only: no random number state and no position in the data",)
    return (*_missing_in_torch(path),)


_NO_STREAMS_IN_KERAS = "it holds no random number state, neither the layers' (dropout) nor Python's, NumPy's or torch's"
_NO_STREAMS_IN_LIGHTNING = (
    "a Lightning checkpoint holds no random number state, and a position in the data only if its loader has one"
)


def _missing_beside(facts: Facts | None, without: str = "") -> Iterator[str]:
    """What the side-car itself says is missing; `without` where there is no side-car."""
    if facts is not None:
        yield from facts.missing
    elif without:
        yield without


def _missing_in_folder(names: Collection[str]) -> Iterator[str]:
    """The Hugging Face Trainer's `checkpoint-<n>`."""
    files = {name.rsplit("/", maxsplit=1)[-1] for name in names}
    parts = (
        ("optimizer", "the optimizer's state"),
        ("scheduler", "the scheduler's state"),
        ("rng_state", "the random number generators"),
    )
    yield from (f"{what} ({stem}.*) is not in it" for stem, what in parts if not _any_starts(files, stem))


def _missing_in_lightning(path: Path) -> tuple[str, ...]:
    """As Lightning writes it, where its pickle can be searched; a side-car lies inside it and says there what is missing."""
    words = words_in_pickle(path)
    if words is None or "pytorch-lightning_version" not in words:
        return (_NO_STREAMS_IN_LIGHTNING,)
    parts = (
        ("optimizer_states", "the optimizer's state"),
        ("lr_schedulers", "the schedulers' state"),
        ("loops", "the place in the training"),
    )
    found = [
        f"{what} ({word}) is not in it: it was saved with weights only" for word, what in parts if word not in words
    ]
    facts = _embedded_facts(words) if EMBEDDED_KEY in words else None
    return (*found, *_missing_beside(facts, _NO_STREAMS_IN_LIGHTNING))


def _embedded_facts(words: Collection[str]) -> Facts | None:
    for word in words:
        if word.startswith("{") and '"trainer"' in word[:64]:
            with contextlib.suppress(ValueError, RecursionError):
                return parse_facts(json.loads(word))
    return None


def _missing_in_keras(path: Path) -> Iterator[str]:
    if not keras_has_optimizer(path):
        yield "the optimizer's state is not in it"


def _missing_in_torch(path: Path) -> Iterator[str]:
    """Anybody's `torch.save`."""
    words = words_in_pickle(path)
    if words is None:
        yield "what is inside was not looked at: it is a pickle"
    else:
        plain = {word.lower() for word in words}
        if not any("optim" in word or word in {"param_groups", "exp_avg"} for word in plain):
            yield "it speaks of no optimizer, so it seems to hold weights only"
        if not any("rng" in word or "random" in word for word in plain):
            yield "it speaks of no random number state"
        yield "what else is inside was not looked at: it is a pickle"
    if not can_be_checked(path):
        yield "its old format does not say where it ends, so only its trainer can tell whether it is whole"


def _trainer_state(folder: Path) -> dict[str, object]:
    try:
        tree = json.loads((folder / "trainer_state.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _any_starts(names: Collection[str], stem: str) -> bool:
    return any(name.startswith(stem) for name in names)
