"""Plays a training as a relay of sessions in one process: a session dies at a chosen step, the next one has new objects and other
random streams, restores the last checkpoint and goes on. With everything that is easily lost: dropout, random augmentation (all three
streams), shuffling, batch statistics, scheduler, loss scale, averaged weights, counters.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from training.states import draft

from batonpass.core.training.attached import Attached
from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.loop import TrainingLoop
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import Report, apply
from batonpass.core.training.snapshot import Snapshotter

legacy = np.random.mtrand._rand


class DiedError(BaseException):
    """The machine is gone: nothing of the session runs any more."""


class Augmented(Dataset):
    """Thirty samples; each reading draws from Python's, NumPy's and torch's stream."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        base = torch.linspace(0, 1, 8) * (index % 7)
        noise = torch.randn(8) * 0.1 + random.random() + float(legacy.random_sample())
        return base + noise, torch.tensor(index % 3)


class Augmentation(nn.Module):
    """Draws on the training side: dropout, and NumPy's stream for a mixing weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x * float(legacy.uniform(0.9, 1.1)) + random.random() * 0.01)


class Session:
    """One machine's leg: fresh objects, streams seeded by the machine's number, and a loop whose host is this very object."""

    def __init__(
        self,
        folder: Path,
        *,
        goal: int | None,
        seed: int | None = 7,
        save_at: Callable[[int], bool],
        die_after: int | None,
        machine: int = 0,
    ):
        torch.manual_seed(machine)
        random.seed(machine)
        legacy.seed(machine)
        self.folder = folder
        self.save_at = save_at
        self.die_after = die_after
        self.lines: list[str] = []
        self.saved: list[int] = []
        self.boundaries: list[int] = []
        self.allowed_restores = True
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model = Augmentation()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.05)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 2, gamma=0.7)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
        self.ema = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8)
        )
        self.attached = Attached()
        self.attached.add(
            model=self.model, optimizer=self.optimizer, scheduler=self.scheduler, scaler=self.scaler, ema=self.ema
        )
        self.state = self.attached.state
        self.snapshotter = Snapshotter()
        self.loop = TrainingLoop(self.attached, self, goal_steps=goal, seed=seed)
        self.attempt = itertools.count(1)
        self.report: Report | None = None

    # the host of the loop

    def on_enter(self) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)

    def on_boundary(self) -> None:
        step = self.loop.finished_steps
        self.boundaries.append(step)
        if self.save_at(step):
            self.save()
        if self.die_after is not None and step >= self.die_after:
            raise DiedError

    def restore_last(self) -> bool:
        return self.allowed_restores and self.restore()

    # what a run does round it

    def save(self) -> Path:
        step = self.loop.finished_steps
        with self.snapshotter.take(self.attached, self.loop.position(), self.loop.loader_state()) as snapshot:
            path, _ = write_checkpoint(snapshot, self.folder, draft(step, len(list(self.folder.glob("*"))) + 1))
        (self.folder.parent / f"{self.folder.name}.newest").write_text(path.name)
        self.saved.append(step)
        return path

    def newest(self) -> Path | None:
        pointer = self.folder.parent / f"{self.folder.name}.newest"
        return self.folder / pointer.read_text() if pointer.exists() else None

    def restore(self, *, streams: bool = True) -> bool:
        newest = self.newest()
        if newest is None:
            return False
        loaded = read_checkpoint(newest)
        self.report = apply(loaded, self.attached)
        self.loop.restore(loaded)
        if not streams:
            self.loop._streams = None
            torch.manual_seed(12345)
        return True

    # the training itself

    def body(self, batch, *, apply_it: bool = True, parts: int = 1) -> None:
        x, y = batch
        loss = nn.functional.cross_entropy(self.model(x), y) / parts
        self.scaler.scale(loss).backward()
        if apply_it:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
            self.ema.update_parameters(self.model)
        self.state.setdefault("labels", []).append(y.tolist())

    def tail(self) -> None:
        self.scheduler.step()
        self.state.setdefault("tails", []).append((self.loop.epoch, self.scheduler.get_last_lr()[0]))
        torch.rand(3)  # a validation that draws

    def digest(self) -> str:
        digest = hashlib.sha256()
        for module in (self.model, self.ema):
            for name, tensor in module.state_dict().items():
                digest.update(name.encode() + tensor.numpy().tobytes())
        for number, slots in self.optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                digest.update(f"{number}{slot}".encode() + value.numpy().tobytes())
        digest.update(repr((self.state, self.scheduler.state_dict(), self.scaler.state_dict())).encode())
        digest.update(torch.rand(1).numpy().tobytes() + repr((random.random(), legacy.random_sample())).encode())
        return digest.hexdigest()


def make_loader(workers: int = 0, **options) -> DataLoader:
    options = {"batch_size": 4, "shuffle": True} | options
    return DataLoader(Augmented(), num_workers=workers, **options)


Train = Callable[[Session, object], None]


def flat(session: Session, loader) -> None:
    """`for batch in run.steps(loader)`."""
    for batch in session.loop.steps(loader):
        session.body(batch)
        if session.loop.step % 5 == 0:
            session.scheduler.step()


def nested(session: Session, loader, *, epochs: int = 3) -> None:
    """`for epoch in run.epochs(E): for batch in run.steps(loader): ...; tail`."""
    for _ in session.loop.epochs(epochs):
        torch.rand(2)  # something before the inner loop that draws
        for batch in session.loop.steps(loader):
            session.body(batch)
        session.tail()


def accumulated(session: Session, loader, *, epochs: int = 3, parts: int = 3) -> None:
    """Three bodies to a step, and a short last group."""
    for _ in session.loop.epochs(epochs):
        for batch in session.loop.steps(loader, accumulate=parts):
            session.body(batch, apply_it=session.loop.completes_step, parts=parts)
        session.tail()


@dataclass
class Plan:
    """A training, and how its relay is played."""

    train: Train
    loader: Callable[[], object]
    goal: int | None = None
    streams: bool = True
    sessions: list[Session] = field(default_factory=list)

    def run(self, folder: Path, *, save_at: Callable[[int], bool] | None = None, deaths: tuple[int, ...] = ()) -> str:
        """The digest of everything at the end. Without `save_at` each session saves where it dies, and only there."""
        save_at = save_at or deaths.__contains__
        folder.mkdir(parents=True, exist_ok=True)
        for machine, death in enumerate((*deaths, None)):
            session = Session(folder, goal=self.goal, save_at=save_at, die_after=death, machine=machine)
            self.sessions.append(session)
            session.restore(streams=self.streams)
            try:
                self.train(session, self.loader())
            except DiedError:
                continue
            return session.digest()
        raise AssertionError("every session died")
