"""A training whose state is worth measuring: about 21 million parameters in fp32 under AdamW, 250 MB in all, run by `run.steps`."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import batonpass as bp
from batonpass.core.naming import checkpoint_name

BATCH = 16
FOR_EVER = 1 << 40
NEVER_S = 1e9


class BigTraining:
    """One endless loop over `run.steps`, taken step by step so that a benchmark can put things between its steps.

    `step` runs the body of a loop, `fetch` is the moment between two bodies, where Batonpass counts the step and takes its snapshot.
    """

    def __init__(
        self, folder: Path, *, width: int, layers: int, seed: int, save_every_s: float | None = NEVER_S
    ) -> None:
        """`save_every_s` None: as often as Batonpass itself finds right."""
        torch.manual_seed(seed)
        self.model = nn.Sequential(*[nn.Linear(width, width) for _ in range(layers)])
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        loader = DataLoader(TensorDataset(torch.randn(256, width)), batch_size=BATCH, shuffle=True)
        with quiet():
            self.run = bp.start(
                "big", store=folder, goal_steps=FOR_EVER, seed=seed, save_every_s=save_every_s, precision="fp32"
            )
            self.run.attach(model=self.model, optimizer=self.optimizer)
        self._batches: Iterator[list[torch.Tensor]] = iter(self.run.steps(loader))
        (self._batch,) = next(self._batches)
        self._saved_step = 0
        self.steps(2)

    def step(self) -> float:
        """One body: forward, backward, optimizer step. Returns its seconds."""
        started = time.perf_counter()
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(self._batch), self._batch)
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - started

    def fetch(self) -> float:
        """End the body and get the next batch; a save that was asked for is taken here. Returns its seconds."""
        started = time.perf_counter()
        (self._batch,) = next(self._batches)
        return time.perf_counter() - started

    def steps(self, count: int) -> list[float]:
        """Several whole steps; returns the seconds of each body."""
        times = []
        for _ in range(count):
            times.append(self.step())
            self.fetch()
        return times

    def save(self) -> float:
        """`run.save()` at the end of a body, and the boundary that takes it. Returns the seconds until the next body may begin."""
        started = time.perf_counter()
        self.run.save()
        self.fetch()
        stall_s = time.perf_counter() - started
        self._saved_step = self.run.step - 1  # the body that is open now is not in it
        return stall_s

    @property
    def stored(self) -> bool:
        """The newest save is on the store."""
        return (self.run.status().durable_step or 0) >= self._saved_step

    @property
    def committed(self) -> bool:
        """The newest save is whole on this disk."""
        return self._folder.exists() or self.stored

    @property
    def newest_bytes(self) -> int:
        """The size of the newest save on this disk."""
        return sum(p.stat().st_size for p in self._folder.rglob("*") if p.is_file())

    @property
    def _folder(self) -> Path:
        return self.run.joined.local.checkpoints / checkpoint_name(self._saved_step, self.run.session, 1)

    @property
    def state_bytes(self) -> int:
        """Parameters and both moments, in bytes."""
        return sum(3 * p.numel() * p.element_size() for p in self.model.parameters())

    def close(self) -> tuple[str, ...]:
        """End the session; returns what the run says was wrong, so that no figure hides a failed save."""
        problems = self.run.status().problems
        with quiet():
            self.run.finish()
        return problems


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the machine card and the farewell out of the tables."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
