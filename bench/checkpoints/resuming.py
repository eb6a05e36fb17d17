"""A small run on a folder store, taken step by step and resumed as a user would: `start`, `attach`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

import batonpass as bp
from batonpass.core.errors import BatonpassError
from checkpoints.ground import digest_of, flat

WAIT_S = 120.0


def preload() -> None:
    """Load once, before any fork, what each child would load again: four of five seconds of a resume. Starts no thread."""
    for name in ("introduction", "run", "sync.joining", "sync.active", "sync.pruning", "core.training.read"):
        import_module(f"batonpass.{name}")
    torch.set_num_threads(1)
    body(build())


def build(seed: int = 1) -> dict[str, Any]:
    """A net with dropout, so that the random streams move too, and its optimizer: what is attached."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(32, 64), nn.Dropout(0.3), nn.Linear(64, 32))
    return {"model": model, "optimizer": torch.optim.AdamW(model.parameters(), lr=1e-3)}


def open_run(store: Path, home: Path) -> bp.Run:
    """The run, on the machine whose home this is."""
    os.environ["BATONPASS_HOME"] = str(home)
    return bp.start("small", store=store, goal_steps=1000, seed=1, save_every_s=1e9, sync_every_s=0.1, precision="fp32")


def begin(run: bp.Run) -> Iterator[Any]:
    """The loop, at its first body."""
    batches = iter(run.steps([torch.ones(4, 32)]))
    next(batches)
    return batches


def body(objects: dict[str, Any]) -> str:
    """One step; returns the fingerprint of the state after it."""
    objects["optimizer"].zero_grad()
    objects["model"](torch.ones(4, 32)).square().mean().backward()
    objects["optimizer"].step()
    return weights(objects)


def save(run: bp.Run, batches: Iterator[Any]) -> None:
    """At the end of a body: save, and wait until it is written and listed. RuntimeError when that does not come to pass."""
    run.save()
    next(batches)
    if not (run._saver and run._saver.wait(WAIT_S) and run._active.service.drain(WAIT_S)) or run.status().problems:
        raise RuntimeError(f"the save did not reach the store: {run.status().problems}")


def resume(store: Path, home: Path) -> dict[str, Any]:
    """As the next session: {"step", "weights", "error"}; `error` is what stopped it, with its hint."""
    objects = build(seed=2)
    try:
        run = open_run(store, home)
        run.attach(**objects)
    except BatonpassError as error:
        return {"step": None, "weights": "", "error": str(error)}
    return {"step": run.step, "weights": weights(objects), "error": ""}


def weights(objects: dict[str, Any]) -> str:
    """Of the model and the optimizer."""
    return digest_of(flat({name: objects[name].state_dict() for name in ("model", "optimizer")}))
