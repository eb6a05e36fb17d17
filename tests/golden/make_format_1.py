"""Wrote `format-1/`, once: a run of two sessions on a folder, through the public door, as the release that introduced format 1 wrote it.

It is kept to show how the example came about. Running it again makes another example somewhere else; the frozen one must never change.

    PYTHONPATH=.typelink python tests/golden/make_format_1.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import batonpass as bp
from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.metrics import tail
from batonpass.core.model import Account, Annotations, Deletion, Deletions, Note
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store

GOAL = 9


class Tiny(nn.Module):
    """A trained layer, a frozen one, a tied weight and a buffer that a state_dict leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 4).requires_grad_(requires_grad=False)
        self.trained = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.trained.weight
        self.register_buffer("hidden", torch.arange(2.0), persistent=False)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.tied(torch.tanh(self.trained(self.frozen(batch)))).sum(1)


def build() -> dict[str, object]:
    """Everything a session of the example attaches, and its loader."""
    torch.manual_seed(5)
    model = Tiny()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    data = TensorDataset(torch.arange(24.0).reshape(8, 3) / 24, torch.arange(8.0))
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler, "loader": DataLoader(data, 2, shuffle=True)}


def fingerprint(model: nn.Module) -> str:
    """sha256 over every parameter and buffer of the state_dict, in order."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def leg(store: Path, *, until: int) -> tuple[str, str, list[float]]:
    """One session with one checkpoint; returns its id, the hash of its last weights, and the losses it logged."""
    parts = build()
    model, optimizer, scheduler = parts["model"], parts["optimizer"], parts["scheduler"]
    run = bp.start(
        "Golden / example",
        store=store,
        account="school",
        goal_steps=GOAL,
        seed=7,
        save_every_s=1e6,
        config={"lr": 0.05, "tags": ["a", None]},
    )
    run.attach(model=model, optimizer=optimizer, scheduler=scheduler)
    losses = []
    for inputs, target in run.steps(parts["loader"]):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), target)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        run.log(loss=loss, odd=float("nan") if run.step == 2 else float("-inf"))
        run.state["best"] = min(losses)
        if run.step == until:
            break
    run.finish()
    return run.session, fingerprint(model), losses


def main() -> int:
    """Write the example and what a reader must find in it."""
    out = Path(sys.argv[1])
    store = out / "store"
    tail.SEAL_AGE_S = 0.0  # the first session seals at every update
    first = leg(store, until=4)
    tail.SEAL_AGE_S = 600.0
    second = leg(store, until=GOAL)
    opened = open_store(store)
    folder = find_run_folder(opened, "Golden / example")
    run = read_run(opened, folder)
    oldest = run.sessions[0].session.checkpoints[0]
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    note = Note("20261123t090000-1f2e3d", now, "first line\n<b>not bold</b> ü")
    opened.put(f"{naming.notes_folder(folder)}{note.id}.json", encode(note))
    opened.put(naming.annotations_file(folder), encode(Annotations("An example", ("demo",), now, 12)))
    account = Account("school", "colab", "Pro", 11.79, "EUR", 93.5, now)
    opened.put(naming.account_file("school"), encode(account))
    asked = Deletions("app-1f2e3d", (Deletion(oldest.key, now),))
    opened.put(naming.deletions_file(folder, "app-1f2e3d"), encode(asked))
    expected = {
        "run_id": run.info.run_id,
        "folder": folder,
        "sessions": [first[0], second[0]],
        "losses": [first[2], second[2]],
        "weights": [first[1], second[1]],
        "deleted": oldest.key,
    }
    for own in store.rglob(".*"):  # the store's lock is no part of the format
        own.unlink()
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["BATONPASS_HOME"] = home
        sys.exit(main())
