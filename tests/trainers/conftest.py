"""The real trainers, each in a process of its own; every machine has its own home and its own folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from batonpass.core.lineage import legs
from batonpass.core.metrics.stitch import stitch
from batonpass.core.metrics.table import MetricTable
from batonpass.core.metrics.tail import decode_tail
from batonpass.core.settings import Settings
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass
class Leg:
    """How one process ended."""

    code: int
    said: str

    @property
    def weights(self):
        found = re.search(r"^WEIGHTS (\w{64})$", self.said, re.MULTILINE)
        assert self.code == 0, self.said
        assert found, self.said
        return found[1]

    @property
    def was_killed(self):
        return self.code == -signal.SIGKILL


@pytest.fixture
def play(tmp_path):
    """Run a program of this folder on a machine: `play("lightning_training.py", "laptop", "--resume")`."""

    def run(program, machine, *options, store="drive", folder=None):
        env = dict(os.environ) | {
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT / ".typelink"), str(CHECKOUT / "tests")]),
            "BATONPASS_HOME": str(tmp_path / machine / "home"),
            "BATONPASS_LEASE_S": "0.5",
            "KERAS_BACKEND": "torch",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        place = folder or tmp_path / machine / "out"
        command = [sys.executable, str(Path(__file__).parent / program), str(place), "--store", str(tmp_path / store)]
        done = subprocess.run(
            [*command, *options], env=env, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path
        )
        return Leg(done.returncode, done.stdout + done.stderr)

    return run


@pytest.fixture
def published(tmp_path):
    """The run as the store has it."""

    def read(name="tiny", store="drive"):
        opened = open_store(str(tmp_path / store), Settings(home=tmp_path / "reader"))
        return read_run(opened, find_run_folder(opened, name))

    return read


@pytest.fixture
def curve(published):
    """The steps at which a metric counts, along the run's one story."""

    def read(metric, **where):
        run = published(**where)
        sessions = [s.session for s in run.sessions]
        tables = {s.id: MetricTable.from_rows(decode_tail(s.tail)) for s in sessions}
        return stitch(legs(run.head, sessions), tables)[metric].live.step.tolist()

    return read
