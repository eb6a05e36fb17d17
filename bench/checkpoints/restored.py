"""How long it takes to bring a state back into a model and its optimizer, every byte proven, beside loaders that prove nothing."""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from rivals import DcpAsync
from safetensors.torch import load_file, save_file
from tables import render, spread

from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.restore import apply
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import State, draft, make_state


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """11 rounds, all from the page cache, in an order drawn anew in each."""
    rounds, width, layers = (1, 64, 2) if smoke else (11, 1024, 20)
    state, fresh = make_state(width, layers, seed=seed), make_state(width, layers, seed=seed + 1)
    with Snapshotter().take(state.attached, {}) as snapshot:  # type: ignore[union-attr]
        ours, manifest = write_checkpoint(snapshot, folder, draft(1))
    plain = folder / "plain.pt"
    torch.save({"model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()}, plain)
    save_file({k: v.contiguous() for k, v in state.tensors().items()}, folder / "plain.safetensors")
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    dcp = DcpAsync(state.model, state.optimizer, folder)
    dcp.save()
    while not dcp.committed():
        pass
    ways: dict[str, Callable[[], None]] = {
        "torch.load + load_state_dict": lambda: _load_plain(plain, fresh),
        "the same after a sha256 of the file": lambda: (_hash(plain), _load_plain(plain, fresh))[1],
        "batonpass, verified": lambda: _restore(ours, fresh),
        "safetensors load_file + copy": lambda: _load_safetensors(folder / "plain.safetensors", fresh),
        "DCP load + load_state_dict": lambda: _load_dcp(dcp, fresh),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    draw = random.Random(seed)
    for number in range(rounds + 1):  # the first of each is not counted
        for name in draw.sample(list(ways), len(ways)):
            fresh.step()
            cpu, started = process_time(), perf_counter()
            ways[name]()
            if number:
                times[name].append(perf_counter() - started)
                used[name].append(process_time() - cpu)
            if fresh.digest() != state.digest():
                raise AssertionError(f"{name} brought something else back")
    dcp.clean()
    base = median(times["the same after a sha256 of the file"])
    rows = [
        [name, spread(t, 1e-3), f"{median(t) / base:.2f}", f"{median(used[name]) * 1e3:.0f}"]
        for name, t in times.items()
    ]
    title = f"Restoring {manifest.size_bytes / 1e6:.0f} MB of AdamW state, {rounds} times, seed {seed}"
    return render(title, ["", "ms", "ratio to torch.load + hash", "processor, ms"], rows)


def _hash(path: Path) -> None:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)


def _load_plain(path: Path, into: State) -> None:
    found = torch.load(path, weights_only=True)
    into.model.load_state_dict(found["model"])
    into.optimizer.load_state_dict(found["optimizer"])


def _restore(folder: Path, into: State) -> None:
    apply(read_checkpoint(folder), into.attached)


def _load_safetensors(path: Path, into: State) -> None:
    found = load_file(path)
    with torch.no_grad():
        for name, tensor in into.tensors().items():
            tensor.copy_(found[name])


def _load_dcp(dcp: DcpAsync, into: State) -> None:
    found = dcp.read()
    into.model.load_state_dict(found["model"])
    into.optimizer.load_state_dict(found["optimizer"])
