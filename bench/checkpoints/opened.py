"""Every file of a checkpoint, opened by a Python that cannot import Batonpass: only torch, safetensors and what torch needs are there."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tables import render

from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import draft, make_state

READER = """
import json, sys
sys.path[:0] = [sys.argv[1]]
try:
    import batonpass
except ModuleNotFoundError:
    pass
else:
    sys.exit("batonpass is here: this proves nothing")
from pathlib import Path
from safetensors.torch import load_file
import hashlib, torch
found = {}
for path in sorted(p for p in Path(sys.argv[2]).rglob("*") if p.is_file()):
    if path.suffix == ".safetensors":
        found[path.name] = {k: hashlib.sha256(t.reshape(-1).view(torch.uint8).numpy()).hexdigest() for k, t in load_file(path).items()}
    else:
        json.loads(path.read_bytes())
        found[path.name] = {}
print(json.dumps(found))
"""


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """A model with a frozen part, its optimizer, a scheduler and a scaler; each tensor is compared with what Batonpass itself reads."""
    import torch

    state = make_state(64 if smoke else 512, 4, seed=seed)
    state.model[0].requires_grad_(False)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(state.optimizer, [2, 5])
    state.attached.add(scheduler=scheduler, scaler=torch.amp.GradScaler("cpu"), generator=torch.Generator())
    state.attached.state["best"] = float("inf")
    with Snapshotter().take(state.attached, {"seed": 1}, {"position": torch.ones(3)}) as snapshot:  # type: ignore[union-attr]
        checkpoint, _ = write_checkpoint(snapshot, folder / "checkpoints", draft(1))
    libraries = _only(folder / "libraries", "torch", "safetensors", "numpy")
    command = [sys.executable, "-I", "-S", "-c", READER, str(libraries), str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    seen, expected = json.loads(done.stdout.splitlines()[-1]), _expected(checkpoint)
    files = sorted(checkpoint.iterdir())
    rows = [[path.name, path.suffix[1:], *_judge(seen.get(path.name), expected, path.name)] for path in files]
    title = f"Opened without Batonpass: {len(seen)} of {len(files)} files"
    return render(title, ["file", "as", "opened", "tensors equal"], rows)


def _judge(seen: dict[str, str] | None, expected: dict[str, dict[str, str]], name: str) -> list[str]:
    if seen is None:
        return ["no", "-"]
    wanted = expected.get(name, {})
    equal = sum(seen.get(key) == value for key, value in wanted.items())
    return ["yes", f"{equal} of {len(wanted)}" if wanted else "-"]


def _expected(checkpoint: Path) -> dict[str, dict[str, str]]:
    """File -> tensor -> sha256 of its bytes, as Batonpass itself reads them."""
    import hashlib

    import torch

    loaded = read_checkpoint(checkpoint)
    found: dict[str, dict[str, str]] = {}
    for entry in loaded.manifest.tensors:
        flat = loaded.tensor(entry.file, entry.name).reshape(-1).view(torch.uint8)
        found.setdefault(entry.file, {})[entry.name] = hashlib.sha256(flat.numpy()).hexdigest()
    return found


def _only(folder: Path, *wanted: str) -> Path:
    """A folder of links to these distributions and all that they require, and to nothing else."""
    folder.mkdir()
    waiting, seen = list(wanted), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system, or an extra
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            target = Path(str(found.locate_file(top)))
            if target.exists() and not (folder / top).exists():
                (folder / top).symlink_to(target)
        waiting += [re.split(r"[^\w.-]", r)[0] for r in found.requires or () if "extra ==" not in r]
    return folder
