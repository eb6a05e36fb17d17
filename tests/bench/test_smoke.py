"""The benchmark runs and prints all its tables. Nothing here looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = (
    "| torch.save ",
    "| torch.save + fsync",
    "| safetensors save_file",
    "| DCP async_save",
    "| run.save ",
    "| run.save, until on the store",
    "| run.log, one float",
    "| run.log, three floats",
    "| run.log, a 0-d tensor",
    "| JSON line + flush, one float",
    "| random augmentation (the demo) ",
    "| TensorDataset ",
    "| one sample of the demo's data",
    "| the loop's bookkeeping alone",
)


@pytest.mark.slow
def test_a_smoke_run_prints_every_row_and_says_that_its_figures_mean_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(CHECKOUT / "bench" / "run.py"), "--smoke", "--folder", str(tmp_path), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [row for row in ROWS if row not in done.stdout]
    assert not missing, done.stdout
    assert "seed 7" in done.stdout
    assert "PROBLEM" not in done.stdout
    assert "mean nothing" in done.stdout
    assert not list(tmp_path.iterdir()), "the benchmark left files behind"
