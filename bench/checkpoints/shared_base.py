"""What ten checkpoints of a fine-tuning take on the store: a frozen base and a small trained part, beside plain files."""

from __future__ import annotations

from pathlib import Path

import torch
from tables import render
from torch import nn

import batonpass as bp
from checkpoints.ground import home, silent

SAVES = 10
FLAG, NO_GRADIENT = "requires_grad=False", "no flag: it never gets a gradient"
RATE_OF_ZERO = "no flag: a learning rate of 0 (SGD)"


class Adapted(nn.Module):
    """Frozen square layers, each with a low-rank part beside it (LoRA)."""

    def __init__(self, width: int, layers: int, rank: int) -> None:
        super().__init__()
        self.base = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(width, rank, bias=False) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(rank, width, bias=False) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Through all layers."""
        for base, down, up in zip(self.base, self.down, self.up, strict=True):
            x = torch.tanh(base(x) + up(down(x)))
        return x


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Once frozen by flag, and twice only in fact: the base is in the optimizer and never gets a gradient, or has a learning rate of 0."""
    width, layers = (128, 3) if smoke else (1024, 8)
    rows = []
    for how in (FLAG, NO_GRADIENT, RATE_OF_ZERO):
        stored, plain, share = _train(folder / str(len(rows)), width, layers, how=how, seed=seed)
        rows.append([how, f"{share:.0%}", f"{plain / 1e6:.1f}", f"{stored / 1e6:.1f}", f"**{plain / stored:.1f}**"])
    head = ["the base is frozen by", "its share", "plain files, MB", "on the store, MB", "times fewer"]
    return render(f"{SAVES} checkpoints of a frozen base with LoRA, seed {seed}", head, rows)


def _optimizer(model: Adapted, how: str) -> torch.optim.Optimizer:
    if how == RATE_OF_ZERO:  # with AdamW its moments would change, in a plain file too
        small = [*model.down.parameters(), *model.up.parameters()]
        return torch.optim.SGD([{"params": list(model.base.parameters()), "lr": 0.0}, {"params": small}], lr=1e-2)
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])


def _train(folder: Path, width: int, layers: int, *, how: str, seed: int) -> tuple[int, int, float]:
    """(bytes in the run's pool, bytes of as many plain files, the base's share of one)."""
    torch.manual_seed(seed)
    model = Adapted(width, layers, rank=8)
    base = list(model.base.parameters())
    for parameter in base if how == FLAG else []:
        parameter.requires_grad_(False)
    optimizer = _optimizer(model, how)
    plain = 0
    with home(folder / "home"), silent():
        run = bp.start("lora", store=folder / "store", goal_steps=SAVES, seed=seed, save_every_s=1e9, keep=100)
        run.attach(model=model, optimizer=optimizer)
        for batch in run.steps([torch.randn(4, width)] * SAVES):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            for parameter in base if how == NO_GRADIENT else []:
                parameter.grad = None
            optimizer.step()
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "plain.pt")
            plain += (folder / "plain.pt").stat().st_size
            run.save()
            if run.step > 1:
                run._saver.wait(60.0)
                run._active.service.drain(60.0)
        run.finish()
    (pool,) = (folder / "store" / "runs").glob("*/files")
    stored = sum(path.stat().st_size for path in pool.iterdir())
    frozen = sum(p.numel() * p.element_size() for p in base)
    return stored, plain, frozen / (plain / SAVES)
