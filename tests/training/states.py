"""Small real training states for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime

import torch
from torch import nn

from batonpass.core.model import Manifest
from batonpass.core.training.attached import Attached


class Tied(nn.Module):
    """Has everything that is easily lost: tied weights, batch statistics, a frozen layer, a non-persistent buffer, extra state."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, width)
        self.norm = nn.BatchNorm1d(width)
        self.frozen = nn.Linear(width, width)
        self.frozen.requires_grad_(False)
        self.head = nn.Linear(width, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64), persistent=False)
        self.note = "new"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.head(self.frozen(self.norm(self.embed(x))))

    def get_extra_state(self) -> dict:
        return {"note": self.note}

    def set_extra_state(self, state: dict) -> None:
        self.note = state["note"]


class Setup:
    """A model with all its companions, some steps into training."""

    def __init__(self, *, steps: int = 0, width: int = 6, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = Tied(width)
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [2, 4, 4])
        self.scaler = torch.amp.GradScaler("cpu", init_scale=128.0, growth_interval=2)
        self.ema = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
        )
        self.attached = Attached()
        self.attached.add(
            model=self.model, optimizer=self.optimizer, scheduler=self.scheduler, scaler=self.scaler, ema=self.ema
        )
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        loss = self.model(torch.randint(0, 5, (4,))).square().mean()
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.ema.update_parameters(self.model)
        self.model.note = f"{self.model.calls} calls"


def draft(step: int = 1, attempt: int = 1) -> Manifest:
    """A manifest before its checkpoint is written."""
    return Manifest("12345678", "20261123t075438-1f2e3d", attempt, step, 0.5, datetime(2026, 11, 23, tzinfo=UTC), ())
