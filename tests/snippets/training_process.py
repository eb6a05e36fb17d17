"""A training that a person might have in a notebook, and the process that is killed in the middle of it.

    python training_process.py NAME STORE...

trains one run on each store for ever, in turns, saving often, until somebody kills it. The same text is the person's own cell in the notebooks of the tests.
"""

OWN_CELL = """
import hashlib

import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
inputs = torch.randn(64, 4)
loader = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=4, shuffle=True)
steps, weights_at = [], []


def fingerprint():
    return hashlib.sha256(b"".join(v.numpy().tobytes() for _, v in sorted(model.state_dict().items()))).hexdigest()


def train_step(batch):
    steps.append(run.step)
    weights_at.append(fingerprint())
    loss = torch.nn.functional.mse_loss(model(batch[0]), batch[1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
"""

if __name__ == "__main__":
    import itertools
    import sys
    import time

    import batonpass as bp

    name, *stores = sys.argv[1:]
    notebooks = []
    for store in stores:
        own = {}
        exec(OWN_CELL, own)
        own["run"] = bp.start(
            name, store=store, account="first machine", goal_steps=1_000_000, save_every_s=0.3, sync_every_s=0.3
        )
        own["run"].attach(model=own["model"], optimizer=own["optimizer"])
        notebooks.append((own, iter(own["run"].steps(own["loader"]))))
    for own, batches in itertools.cycle(notebooks):
        own["run"].log(loss=own["train_step"](next(batches)))
        time.sleep(0.01)  # leaves the other process, and the saver, a share of two cores
