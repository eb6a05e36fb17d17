"""Every file of a checkpoint, opened by a Python that cannot import Batonpass: safetensors and JSON, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tables import render

from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import draft, make_state

PROGRAM = """
import json, sys
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "batonpass":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Away())
try:
    import batonpass
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("batonpass is here")
from pathlib import Path
from safetensors.torch import load_file
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    if path.suffix == ".safetensors":
        found[path.name] = f"safetensors: {len(load_file(path))} tensors"
    else:
        found[path.name] = f"json: {', '.join(list(json.loads(path.read_bytes()))[:4])}, ..."
print(json.dumps(found))
"""


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """A model with a frozen part, its optimizer, a scheduler and a scaler."""
    import torch

    state = make_state(64 if smoke else 512, 4, seed=seed)
    state.model[0].requires_grad_(False)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(state.optimizer, [2, 5])
    state.attached.add(scheduler=scheduler, scaler=torch.amp.GradScaler("cpu"), generator=torch.Generator())
    state.attached.state["best"] = float("inf")
    with Snapshotter().take(state.attached, {"seed": 1}, {"position": torch.ones(3)}) as snapshot:  # type: ignore[union-attr]
        written, manifest = write_checkpoint(snapshot, folder / "checkpoints", draft(1))
    command = [sys.executable, "-c", PROGRAM, str(written)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    names = {entry.name for entry in manifest.files} | {"manifest.json"}
    rows = [[name, found.get(name, "NOT OPENED")] for name in sorted(names)]
    return render(f"Opened without Batonpass: {len(found)} of {len(names)} files", ["file", "as"], rows)
