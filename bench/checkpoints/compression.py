"""What packing wins on the store, and what it costs: a dense and a convolutional net, trained on scikit-learn's digits with AdamW, in fp32 and in bf16.

    python bench/checkpoints/compression.py [--smoke] [--seed 1]

Weights and both moments are written as they lie in a checkpoint. Rivals: zstd level 1 on the file as it is. One thread; speeds are
plain bytes by the seconds of processor time of that thread, medians of five.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import zstandard
from safetensors.torch import save
from sklearn.datasets import load_digits
from tables import render

from batonpass.core.shuffle import pack, unpack

STEPS = 1500
SMOKE_STEPS = 5
ROUNDS = 5
Part = dict[str, torch.Tensor]


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Train both nets and pack what they left; a Markdown table. `folder` is not written to: packing is measured in memory."""
    del folder
    steps, width, rounds = (SMOKE_STEPS, 64, 1) if smoke else (STEPS, 1024, ROUNDS)
    rows = []
    for name, make in (("dense", dense), ("convolutional", convolutional)):
        for word, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            parts = train(make, dtype, steps=steps, width=width, seed=seed)
            parts["whole checkpoint"] = {f"{kind}.{n}": t for kind, part in parts.items() for n, t in part.items()}
            rows += [row(f"{name}, {word}: {kind}", save(part), rounds) for kind, part in parts.items()]
    head = ("", "plain MB", "zstd-1", "packed", "pack MB/s", "unpack MB/s", "bit-exact")
    title = f"Compression on the store: a net each after {steps:,} steps of AdamW (seed {seed}); ratio plain / packed, one thread"
    return render(title, head, rows)


def dense(width: int) -> torch.nn.Module:
    """Three linear layers."""
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(64, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, width),
        torch.nn.LayerNorm(width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 10),
    )


def convolutional(width: int) -> torch.nn.Module:
    """Three convolutions with batch norm."""
    sizes = [1, width // 16, width // 8, width // 4]
    layers: list[torch.nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.BatchNorm2d(after), torch.nn.ReLU()]
    layers.insert(6, torch.nn.MaxPool2d(2))
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(sizes[-1], 10)
    )


def train(
    make: Callable[[int], torch.nn.Module], dtype: torch.dtype, *, steps: int, width: int, seed: int
) -> dict[str, Part]:
    """The tensors of a small net and of its AdamW, all of `dtype`, after so many steps on the digits."""
    torch.manual_seed(seed)
    digits = load_digits()
    inputs = torch.tensor(digits.images / 16, dtype=dtype)[:, None]
    targets = torch.tensor(digits.target)
    net = make(width).to(dtype)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    for _ in range(steps):
        batch = torch.randint(0, len(inputs), (64,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs[batch]).float(), targets[batch]).backward()
        optimizer.step()
    names = {parameter: name for name, parameter in net.named_parameters()}
    parts = {"weights": {name: p.detach().contiguous() for p, name in names.items()}}
    for slot in ("exp_avg", "exp_avg_sq"):
        parts[slot] = {name: optimizer.state[p][slot] for p, name in names.items()}
    return parts


def row(word: str, plain: bytes, rounds: int) -> list[str]:
    """One line of the table: ratios, speeds, and whether every bit came back."""
    raw = len(zstandard.ZstdCompressor(level=1).compress(plain))
    packing, unpacking = [], []
    for _ in range(rounds):
        out, started = io.BytesIO(), time.thread_time()
        pack(io.BytesIO(plain), out, size_bytes=len(plain))
        packing.append(time.thread_time() - started)
        digest, started = hashlib.sha256(), time.thread_time()
        pieces = list(unpack(io.BytesIO(out.getvalue()), size_bytes=len(plain)))
        unpacking.append(time.thread_time() - started)
        for piece in pieces:
            digest.update(piece)
    packed = len(out.getvalue())
    speeds = (f"{len(plain) / 1e6 / max(median(each), 1e-9):,.0f}" for each in (packing, unpacking))
    exact = "yes" if digest.digest() == hashlib.sha256(plain).digest() else "PROBLEM"
    return [word, f"{len(plain) / 1e6:.1f}", f"{len(plain) / raw:.2f}", f"{len(plain) / packed:.2f}", *speeds, exact]


def main() -> int:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: shows that it runs, says nothing")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as name:
        print(measure(Path(name), smoke=arguments.smoke, seed=arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
