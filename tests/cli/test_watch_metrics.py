"""`batonpass watch` killed at any moment while a trainer logs on: every row is in the run, and each once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from watch.metric_files import Logged, append, begin_events, scalars
from watch.trainers import torch_zip


@pytest.fixture
def start_watch(tmp_path):
    processes = []

    def start():
        words = [
            sys.executable,
            "-m",
            "batonpass",
            "watch",
            tmp_path / "output",
            "--run",
            "cats",
            "--store",
            tmp_path / "drive",
        ]
        process = subprocess.Popen(
            [*map(str, words), "--every", "0.05", "--pid", str(os.getpid())],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "BATONPASS_HOME": str(tmp_path / "home"), "BATONPASS_LEASE_S": "0.2"},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            process.communicate()


class Trainer:
    """Logs a step at a time, saves now and then, and goes back to its last save where it is told to."""

    def __init__(self, output, kind):
        self.output, self.kind = output, kind
        self.step = self.saved = self.launches = self.attempt = self.rows = 0
        self.expected = {}
        self.begin()

    def begin(self):
        self.launches += 1
        if self.kind == "events":
            self.path = begin_events(self.output, self.launches)
        else:
            self.path = self.output / "metrics.csv"
            if not self.path.exists():
                self.path.write_text("step,loss,lr\n")

    def train(self):
        self.step += 1
        self.rows += 2
        self.expected[self.step] = self.step + 1000.0 * self.attempt
        values = [(self.step, "loss", self.expected[self.step]), (self.step, "lr", float(self.step))]
        append(
            self.path, scalars(values) if self.kind == "events" else f"{values[0][0]},{values[0][2]},{values[1][2]}\n"
        )
        if self.step % 20 == 0:
            self.saved = self.step
            (self.output / f"step={self.step}.pt").write_bytes(torch_zip(self.step, 500))

    def restart(self):
        self.step = self.saved
        self.attempt += 1
        self.begin()


@pytest.mark.parametrize("kind", ["events", "csv"])
@pytest.mark.parametrize("goes_back", [False, True])
def test_killed_at_any_moment_no_row_is_lost_and_none_is_logged_twice(tmp_path, start_watch, kind, goes_back):
    draw = random.Random(f"{kind} {goes_back}")
    (tmp_path / "output").mkdir()
    trainer = Trainer(tmp_path / "output", kind)
    for number in range(3):
        process = start_watch()
        trainer.train()
        assert any("watching" in line for line in iter(process.stdout.readline, ""))
        until = time.monotonic() + draw.uniform(0.1, 1.2)
        while time.monotonic() < until:
            trainer.train()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        if goes_back and number == 1:
            trainer.restart()
        for _ in range(15):
            trainer.train()
    last = start_watch()
    assert any("watching" in line for line in iter(last.stdout.readline, ""))
    trainer.train()
    last.send_signal(signal.SIGTERM)
    output, _ = last.communicate(timeout=60)
    assert last.returncode == 0, output
    found = Logged(tmp_path)
    assert dict(found.curve("loss")) == trainer.expected
    assert len(found.curve("loss")) == len(trainer.expected)
    assert dict(found.curve("lr")) == {step: float(step) for step in trainer.expected}
    assert found.rows() == trainer.rows, [
        (s.id, s.rows, s.resumed_from, s.rewinds, len(s.checkpoints)) for s in found.sessions
    ]
