"""A tiny Lightning training as a program: dropout, shuffling, random augmentation. Kills itself where it is told to."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import time
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

from batonpass.callbacks.lightning import BatonpassCallback


class Points(Dataset):
    """Augments with all three streams, in the fetching process."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(1).item()  # noqa: NPY002  # the stream that augmentations use
        x = torch.linspace(0, 1, 4) * (index + 1) + 0.1 * noise
        return x, x.sum().reshape(1)


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)]


class Killed(Callback):
    """SIGKILL after a step, once the store has a checkpoint."""

    def __init__(self, at, batonpass):
        self.at, self.batonpass = at, batonpass

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.global_step != self.at:
            return
        deadline = time.monotonic() + 120
        while not self.batonpass or self.batonpass._mirroring._watch.status().durable is None:
            assert time.monotonic() < deadline, "nothing became durable"
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--store")
    p.add_argument("--resume", action="store_true")
    p.add_argument("--path")
    p.add_argument("--kill", type=int, default=0)
    p.add_argument("--every", type=int, default=0, help="steps; 0: at each epoch's end")
    p.add_argument("--workers", type=int, default=0)
    p.add_argument("--epochs", type=int, default=4)
    p.add_argument("--validate", action="store_true")
    p.add_argument("--without", action="store_true", help="no side-car: the callback's state is thrown away")
    a = p.parse_args()
    lightning.seed_everything(7 if not (a.resume or a.path) else 99)  # a resumed process owes nothing to its own seed
    when = {"every_n_train_steps": a.every} if a.every else {"every_n_epochs": 1}
    keeps = ModelCheckpoint(dirpath=a.folder, save_top_k=-1, filename="{epoch}-{step}", **when)
    ours = BatonpassCallback("tiny", folder=a.folder, store=a.store, every_steps=1) if a.store else None
    loader = DataLoader(Points(), batch_size=4, shuffle=True, num_workers=a.workers)
    if ours and a.without:
        ours.load_state_dict = lambda state: None
    trainer = lightning.Trainer(
        max_epochs=a.epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=a.folder,
        num_sanity_val_steps=0,
        callbacks=[keeps, *([ours] if ours else []), *([Killed(a.kill, ours)] if a.kill else [])],
    )
    model = Net()
    path = ours.resume_from() if a.resume else a.path
    val = {"val_dataloaders": DataLoader(Points(), batch_size=4)} if a.validate else {}
    trainer.fit(model, loader, ckpt_path=path, **val)
    weights = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
    print("WEIGHTS", hashlib.sha256(weights).hexdigest())


if __name__ == "__main__":
    main()
