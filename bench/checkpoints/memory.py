"""The memory that a save takes beyond the training's own, at its highest, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

from tables import render  # noqa: E402

WAYS = ("buffer", "window", "torch.save", "DCP async_save", "Lightning AsyncCheckpointIO")
NAMES = {
    "buffer": "batonpass, with its copy",
    "window": "batonpass, where no copy fits",
}


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Three saves each; the highest counts."""
    from rivals import lightning_is_here

    rows = []
    for way in WAYS:
        if way.startswith("Lightning") and not lightning_is_here():
            continue
        place = folder / way.replace(" ", "-")
        place.mkdir()
        command = [sys.executable, str(HERE / "memory.py"), "--way", way, "--folder", str(place), "--seed", str(seed)]
        done = subprocess.run([*command, *(["--small"] if smoke else [])], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
        extra, size = found["extra_bytes"], found["state_bytes"]
        limit = {"buffer": 1.05 * size + (64 << 20), "window": 300e6}.get(way)
        told = "-" if limit is None else f"{limit / 1e6:.0f}"
        rows.append([NAMES.get(way, way), f"{size / 1e6:.0f}", f"{extra / 1e6:.0f}", f"{extra / size:.2f}", told])
    head = ["", "state, MB", "more memory at the highest, MB", "of the state", "limit, MB"]
    return render(f"Memory of a save, seed {seed}", head, rows)


def save_three_times(way: str, folder: Path, *, small: bool, seed: int) -> dict[str, int]:
    """The highest resident memory beyond that before the first save."""
    from machine import PeakMemory, settle
    from rivals import DcpAsync, LightningAsync, TorchSave

    from checkpoints.ground import make_state
    from checkpoints.torn import Ours

    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    state = make_state(64 if small else 1024, 2 if small else 20, seed=seed)
    mine = (state.model, state.optimizer, folder)
    if way in NAMES:
        saving = Ours(state, state, folder / "ours", copies=way == "buffer")
    elif way == "torch.save":
        saving = TorchSave(*mine, fsync=False)
    else:
        saving = DcpAsync(*mine) if way.startswith("DCP") else LightningAsync(*mine)
    _warm_up(saving, way)
    settle(sync=False)
    memory = PeakMemory()
    for _ in range(3):
        saving.save()
        while not saving.committed():
            pass
        saving.clean()
    extra = memory.extra_bytes()
    assert extra is not None, "resident memory is read from Linux's /proc"
    size = sum(t.numel() * t.element_size() for t in state.tensors().values())
    return {"extra_bytes": extra, "state_bytes": size}


def _warm_up(saving: object, way: str) -> None:
    """What a library loads the first time is not the save's: a tiny state goes the same way first."""
    import tempfile

    from rivals import DcpAsync, LightningAsync, TorchSave

    from checkpoints.ground import make_state
    from checkpoints.torn import Ours

    tiny = make_state(8, 1)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if isinstance(saving, Ours):
            first: object = Ours(tiny, tiny, place / "ours", copies=way == "buffer")
        elif isinstance(saving, TorchSave):
            first = TorchSave(tiny.model, tiny.optimizer, place, fsync=False)
        else:
            kind = DcpAsync if isinstance(saving, DcpAsync) else LightningAsync
            first = kind(tiny.model, tiny.optimizer, place)
        first.save()
        while not first.committed():
            pass
        first.clean()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    sys.path = [p for p in sys.path if Path(p or ".").resolve() != HERE]
    import torch

    torch.set_num_threads(1)
    print(json.dumps(save_three_times(arguments.way, arguments.folder, small=arguments.small, seed=arguments.seed)))
