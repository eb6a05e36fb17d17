"""The demo's training script: an ordinary PyTorch loop on scikit-learn's bundled digits, with the lines of Batonpass in it.

Run by `batonpass demo`, once per session, each time as a process of its own: python -m batonpass.demo.training --help
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import batonpass as bp


class Digits(Dataset[tuple[torch.Tensor, int]]):
    """1,797 images of 8 x 8 pixels, each shifted at random by up to one pixel and made noisy when it is fetched."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits  # noqa: PLC0415  # takes a second, and only the real dataset needs it

        data = load_digits()
        self.images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
        self.labels = torch.tensor(data.target)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        shifted = torch.roll(self.images[index], (random.randint(-1, 1), random.randint(-1, 1)), dims=(1, 2))
        return shifted + 0.05 * torch.randn(1, 8, 8), int(self.labels[index])


def build_model() -> nn.Sequential:
    """A small convolutional net with batch normalisation and dropout: about 56,000 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(512, 90),
        nn.ReLU(),
        nn.Linear(90, 10),
    )


def fingerprint(model: nn.Module) -> str:
    """sha256 over every parameter and buffer, in order."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def train(arguments: argparse.Namespace) -> str:
    """Train to the goal, or as far as this process lives; returns the fingerprint of the final weights."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=arguments.steps)
    loader = DataLoader(Digits(), batch_size=64, shuffle=True, num_workers=arguments.workers)

    run = bp.start(
        arguments.name,
        store=arguments.store,
        account=arguments.account,
        goal_steps=arguments.steps,
        seed=1,
        save_every_s=arguments.save_every,
        sync_every_s=0.5,
        precision="fp32",
    )
    run.attach(model=model, optimizer=optimizer, scheduler=scheduler)
    for images, labels in run.steps(loader):
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
        run.log(loss=loss, accuracy=(logits.argmax(1) == labels).float().mean(), lr=scheduler.get_last_lr()[0])
        scheduler.step()
        print(f"step {run.step}", flush=True)
    run.finish()
    return fingerprint(model)


def main() -> int:
    """Parse the command line, train, print the fingerprint as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True)
    parser.add_argument("--name", default="digits")
    parser.add_argument("--account", default="this computer")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=0.3, help="seconds")
    print(f"weights {train(parser.parse_args())}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
