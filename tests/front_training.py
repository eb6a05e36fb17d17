"""A small training, written as a user would write it: what the tests of the front door share."""

from __future__ import annotations

import contextlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import batonpass as bp
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store


def model_and_optimizer(width: int = 8) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, width), nn.Dropout(0.5), nn.Linear(width, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=1e-2)


def loader() -> DataLoader:
    generator = torch.Generator().manual_seed(7)
    return DataLoader(TensorDataset(torch.randn(60, 4, generator=generator)), batch_size=4, shuffle=True)


def train(
    run: bp.Run, model: nn.Module, optimizer: torch.optim.Optimizer, *, stop_at: int | None = None
) -> list[float]:
    """Train up to the goal, or leave the loop at the top of the body after step `stop_at`, with a checkpoint asked for at that step."""
    losses = []
    for (batch,) in run.steps(loader()):
        if stop_at is not None and run.step > stop_at:
            break
        optimizer.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
        losses.append(loss.item())
        if run.step == stop_at:
            run.save()
    return losses


def start(store: str, **options) -> bp.Run:
    return bp.start("cats", store=store, goal_steps=40, seed=5, sync_every_s=0.05, **options)


def sessions(store: str):
    with contextlib.closing(open_store(store)) as opened:
        (name,) = opened.list_folders("runs/")
        return read_run(opened, f"runs/{name}/").sessions


def weights(model: nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values())


def arrived(run: bp.Run) -> bool:
    """Wait until what was saved is on the store."""
    return run._saver.wait(20) and run._active.service.drain(20)
