"""Plays a recipe as a relay: every session has new objects and other random streams, restores the last checkpoint and goes on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from training.recipes import Recipe, Training
from training.relay import DiedError, legacy
from training.states import draft

from batonpass.core.training.attached import Attached
from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.loop import TrainingLoop
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import Report, apply
from batonpass.core.training.snapshot import Snapshotter

STREAMS = "the random streams"
"""May be left out of a restore like an attached object."""


class Leg:
    """One session on machine number `machine`. It saves where it dies, and only there."""

    def __init__(self, training: Training, folder: Path, *, goal: int, die_after: int | None) -> None:
        self.training = training
        self.folder = folder
        self.die_after = die_after
        self.lines: list[str] = []
        self.attached = Attached()
        self.attached.add(**training.objects)
        self.loop = TrainingLoop(self.attached, self, goal_steps=goal, seed=7)
        self.report: Report | None = None

    def on_enter(self) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)

    def restore_last(self) -> bool:
        return False

    def on_boundary(self) -> None:
        step = self.loop.finished_steps
        if self.die_after is not None and step >= self.die_after:
            with Snapshotter().take(self.attached, self.loop.position(), self.loop.loader_state()) as snapshot:
                write_checkpoint(snapshot, self.folder, draft(step, step))
            raise DiedError

    def restore(self, checkpoint: Path, forgotten: str) -> None:
        """Bring it back, all but the one that is forgotten."""
        left_out = self.attached.adapters.pop(forgotten, None)
        loaded = read_checkpoint(checkpoint)
        self.report = apply(loaded, self.attached)
        self.loop.restore(loaded)
        if left_out is not None:
            self.attached.adapters[forgotten] = left_out
        if forgotten == STREAMS:
            self.loop._streams = None
            torch.manual_seed(4321)

    def train(self) -> None:
        for batch in self.loop.steps(self.training.loader, accumulate=self.training.accumulate):
            self.training.body(batch, self.loop)


def play(
    recipe: Recipe, folder: Path, *, goal: int, deaths: tuple[int, ...] = (), forgotten: str = ""
) -> tuple[str, list[Leg]]:
    """The sha256 of everything at the end, and the sessions that led there. `forgotten` is left out of every restore."""
    folder.mkdir(parents=True, exist_ok=True)
    legs: list[Leg] = []
    for machine, death in enumerate((*deaths, None)):
        torch.manual_seed(machine)
        random.seed(machine)
        legacy.seed(machine)
        leg = Leg(recipe.build(), folder, goal=goal, die_after=death)
        legs.append(leg)
        if machine:
            leg.restore(max(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns), forgotten)
        try:
            leg.train()
        except DiedError:
            continue
    return digest(legs[-1].training.objects), legs


def digest(objects: dict[str, Any]) -> str:
    """The sha256 of every attached object's state and of where the random streams stand."""
    found = hashlib.sha256()
    for name, target in objects.items():
        for piece in _pieces(_state(target)):
            found.update(name.encode() + piece)
    found.update(torch.rand(1).numpy().tobytes() + repr((random.random(), legacy.random_sample())).encode())
    return found.hexdigest()


def _state(target: Any) -> Any:
    if isinstance(target, torch.Generator):
        return target.get_state()
    if isinstance(target, np.random.Generator):
        return target.bit_generator.state
    if isinstance(target, np.random.RandomState):
        return target.get_state(legacy=False)
    if isinstance(target, random.Random):
        return target.getstate()
    if hasattr(target, "_orig_mod") or isinstance(target, torch.nn.DataParallel):
        target = getattr(target, "_orig_mod", None) or target.module
    return target.state_dict() if hasattr(target, "state_dict") else target


def _pieces(tree: Any) -> Iterator[bytes]:
    if isinstance(tree, torch.Tensor):
        yield f"{tree.dtype}{tuple(tree.shape)}".encode() + tree.detach().contiguous().numpy().tobytes()
    elif isinstance(tree, np.ndarray):
        yield tree.tobytes()
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield repr(key).encode()
            yield from _pieces(value)
    elif isinstance(tree, list | tuple):
        yield str(len(tree)).encode()
        for value in tree:
            yield from _pieces(value)
    elif hasattr(tree, "__dict__") and not callable(tree):
        yield from _pieces(vars(tree))
    else:
        yield b"" if callable(tree) else repr(tree).encode()
