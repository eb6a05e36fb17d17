"""The measures of checkpoints run, and what must hold at any size holds in a smoke run. Nothing here looks at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="its children are made by fork")


def run(folder: Path, *measures: str) -> str:
    command = [sys.executable, str(CHECKOUT / "bench" / "checkpoints" / "run.py"), "--quick", "--seed", "7"]
    path = os.pathsep.join([str(CHECKOUT / ".typelink"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*command, "--folder", str(folder), "--only", *measures],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 7" in done.stdout
    assert "mean nothing" in done.stdout
    assert not list(folder.iterdir()), "the benchmark left files behind"
    return done.stdout


def cells(printed: str, row: str) -> list[list[str]]:
    """The cells of each row of this name."""
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert any(cell[0] == row for cell in found), printed
    return [cell for cell in found if cell[0] == row]


@FORKS
@pytest.mark.slow
def test_a_save_killed_around_a_write_leaves_the_newest_or_the_one_before_it(tmp_path):
    printed = run(tmp_path, "write_points")
    ((_, kills, _, newest, before, other, error),) = cells(printed, "batonpass")
    assert (int(kills), int(newest) + int(before), other, error) == (6, 6, "0", "0")
    assert cells(printed, "torch.save in place")[0][-1] != "0", "the control: a file written in place is lost"


@pytest.mark.slow
def test_damage_on_the_store_is_noticed_and_the_checkpoint_before_it_is_taken(tmp_path):
    printed = run(tmp_path, "flipped")
    for damage in ("a flipped bit", "a hole of zeros", "cut off", "empty"):
        ((_, times, older, failed, *_),) = cells(printed, damage)
        assert (times, failed) == (older, "0")


@pytest.mark.slow
def test_steps_right_after_a_save_do_not_get_into_it(tmp_path):
    printed = run(tmp_path, "torn")
    ((_, saves, _, torn),) = cells(printed, "batonpass")
    ((_, unguarded, _, caught),) = cells(printed, "batonpass without its copy, and nobody waits (must be noticed)")
    assert torn == "**0**"
    assert caught == f"**{unguarded}**"
    assert saves == unguarded


@pytest.mark.slow
def test_every_file_opens_without_batonpass_and_every_promise_of_retention_is_kept(tmp_path):
    printed = run(tmp_path, "opened", "retained")
    files = [line.split() for line in printed.splitlines() if ".safetensors " in line or ".json " in line]
    assert len(files) == 8
    for _, _, _, _, _, opened, _, *equal in (line for line in files if line[3] == "safetensors"):
        assert (opened, equal[0]) == ("yes", equal[2])
    assert [
        row[-1] for row in cells(printed, "the newest durable one stays, the budget is as told, nothing in use goes")
    ] == ["holds"]
    assert [row[-1] for row in cells(printed, "the first of them, with a plan that removes all (must be noticed)")] == [
        "broken"
    ]


def test_what_is_packed_comes_back_bit_for_bit(tmp_path):
    printed = run(tmp_path, "compression")
    for kind in ("dense, fp32: whole checkpoint", "convolutional, bf16: whole checkpoint"):
        ((_, _, _, ratio, _, _, exact),) = cells(printed, kind)
        assert (float(ratio) > 1, exact) == (True, "yes")
