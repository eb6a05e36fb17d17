"""One session of the training that `exactness` stops: a process of its own, continued by whoever it is told.

    python bench/checkpoints/exact_training.py ours --folder F --workers 2 --steps 60 --machine 1

Prints `step <n>` after each step and `weights <sha256>` at the end. It holds what is easily lost: dropout, augmentation that draws from
Python's, NumPy's and torch's stream, a scheduler, a loss scale, averaged weights. "Another machine" is another start of the streams.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SAMPLES, BATCH = 96, 8
BEHIND = 4
"""Steps by which the newest checkpoint on the store may lag."""
KEPT = ("model", "optimizer", "scheduler", "scaler", "ema")


class Noisy(Dataset[Any]):
    """Each reading of a sample draws from all three streams."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.randn(16) * 0.1 + random.random() + float(np.random.random_sample())  # noqa: NPY002  # as augmentations do
        return torch.linspace(0, 1, 16) * (index % 7) + noise, torch.tensor(index % 4)


class Training:
    """The objects, and what one step does with them."""

    def __init__(self, steps: int) -> None:
        self.model = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.05, total_steps=steps + 1)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=7)
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
        self.ema = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=average)

    @property
    def objects(self) -> dict[str, Any]:
        """What has a state."""
        return {name: getattr(self, name) for name in KEPT}

    def step(self, batch: Any) -> torch.Tensor:
        """Train on one batch; returns the loss."""
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.ema.update_parameters(self.model)
        return loss.detach()

    def digest(self) -> str:
        """The sha256 of the final weights and the averaged ones."""
        states = [module.state_dict().items() for module in (self.model, self.ema)]
        found = hashlib.sha256()
        for name, tensor in (pair for state in states for pair in state):
            found.update(name.encode() + tensor.numpy().tobytes())
        return found.hexdigest()


def train_ours(training: Training, folder: Path, workers: int, steps: int, *, lose_streams: bool) -> None:
    """Through `batonpass.start` on a folder; `lose_streams` keeps back what a resume restored of the random streams."""
    import batonpass as bp

    run = bp.start("exact", store=str(folder / "store"), goal_steps=steps, seed=5, save_every_s=0.05, sync_every_s=0.05)
    run.attach(**training.objects)
    if lose_streams and run.step:
        run._loop._streams = None  # the negative control breaks it on purpose
        torch.seed()
    for batch in run.steps(DataLoader(Noisy(), BATCH, shuffle=True, num_workers=workers)):
        loss = training.step(batch)
        run.log(loss=loss)
        _let_saving_follow(run)
        print("step", run.step, flush=True)
    run.finish()


def _let_saving_follow(run: Any) -> None:
    """Such steps take a millisecond: without waiting, a killed process would leave nothing but its starting point."""
    patience = time.monotonic() + 20
    while (run.status().durable_step or 0) < run.step - BEHIND and time.monotonic() < patience:
        time.sleep(0.005)


def train_skipping(training: Training, folder: Path, workers: int, steps: int) -> None:
    """torch.save of everything with a state and of all streams; on resume the used batches are read and thrown away."""
    loader = DataLoader(Noisy(), BATCH, shuffle=True, num_workers=workers)
    _train_by_hand(training, folder, loader, steps)


def train_stateful(training: Training, folder: Path, workers: int, steps: int) -> None:
    """The same with torchdata's StatefulDataLoader, whose state is saved with the rest, in place of skipping."""
    from torchdata.stateful_dataloader import StatefulDataLoader

    _train_by_hand(training, folder, StatefulDataLoader(Noisy(), BATCH, shuffle=True, num_workers=workers), steps)


def _train_by_hand(training: Training, folder: Path, loader: Any, steps: int) -> None:
    file, stateful = folder / "last.pt", hasattr(loader, "load_state_dict")
    saved = torch.load(file, weights_only=False) if file.exists() else None  # our own file, and the rival's habit
    step = epoch = used = 0
    if saved is not None:
        step, epoch, used = saved["at"]
        for name, target in training.objects.items():
            target.load_state_dict(saved[name])
        if stateful:
            loader.load_state_dict(saved["loader"])
    while step < steps:
        batches: Iterator[Any] = iter(loader)
        if saved is not None:
            for _ in range(0 if stateful else used):
                next(batches)
            _set_streams(saved["streams"])  # after what was skipped, because reading it has drawn from them
            saved = None
        for batch in batches:
            training.step(batch)
            step, used = step + 1, used + 1
            position = {"at": (step, epoch, used), "loader": loader.state_dict() if stateful else None}
            state = {name: target.state_dict() for name, target in training.objects.items()}
            torch.save({**position, **state, "streams": _streams()}, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
            print("step", step, flush=True)
            if step == steps:
                return
        epoch, used = epoch + 1, 0


def _streams() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # as above


def _set_streams(streams: tuple[Any, ...]) -> None:
    random.setstate(streams[0])
    np.random.set_state(streams[1])  # noqa: NPY002  # as above
    torch.set_rng_state(streams[2])


def main() -> None:
    """Play one session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=["ours", "streams lost", "skip", "stateful"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--machine", type=int, required=True, help="where the random streams begin")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(asked.machine)
    np.random.seed(asked.machine)  # noqa: NPY002  # as above
    torch.manual_seed(asked.machine)
    training, place = Training(asked.steps), (asked.folder, asked.workers, asked.steps)
    if asked.how in {"ours", "streams lost"}:
        train_ours(training, *place, lose_streams=asked.how == "streams lost")
    else:
        (train_stateful if asked.how == "stateful" else train_skipping)(training, *place)
    print("weights", training.digest(), flush=True)


if __name__ == "__main__":
    main()
