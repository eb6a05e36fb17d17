"""Several processes train one model, and the run outlives all of them.

torchrun --nproc-per-node 2 many_gpus.py FOLDER            # DistributedDataParallel
torchrun --nproc-per-node 2 many_gpus.py FOLDER --shard    # FSDP2
"""

from __future__ import annotations

import sys

import torch
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

import batonpass as bp

SAMPLES_PER_STEP = 16
"""Of all processes together. Kept when their number changes, so that every step sees the same samples."""


def make_model(device: torch.device, *, shard: bool, dropout: float = 0.2) -> nn.Module:
    """The same first weights in every process, divided among them or copied to each."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 33), nn.BatchNorm1d(33), nn.ReLU(), nn.Dropout(dropout), nn.Linear(33, 1)).to(
        device
    )
    torch.manual_seed(1 + distributed.get_rank())  # from here on each draws its own dropout
    if not shard:
        return DistributedDataParallel(model)
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer)
    return fully_shard(model)


def make_loader() -> DataLoader:
    """Each process its share of one common order."""
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(x, x.sum(1, keepdim=True).sin())
    size = SAMPLES_PER_STEP // distributed.get_world_size()
    return DataLoader(data, batch_size=size, sampler=DistributedSampler(data))


def train(store: str, *, shard: bool, dropout: float = 0.2) -> None:
    """What a script on one GPU does, in every process."""
    device = (
        torch.device("cuda", distributed.get_node_local_rank()) if torch.cuda.is_available() else torch.device("cpu")
    )
    model = make_model(device, shard=shard, dropout=dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = make_loader()
    run = bp.start("many-gpus", store=store, goal_steps=40)
    run.attach(model=model, optimizer=optimizer)
    for x, y in run.steps(loader):
        loss = nn.functional.mse_loss(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
    run.finish()


if __name__ == "__main__":
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    train(sys.argv[1], shard="--shard" in sys.argv)
    distributed.destroy_process_group()
