"""A training in several processes (torchrun, gloo), through the front door: one checkpoint of all of them, in the files of a single process;
killed, it goes on with as many processes bit for bit, and with another number on the same data.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from front_training import sessions
from safetensors.torch import load_file

import batonpass as bp

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "docs" / "examples" / "many_gpus.py"
NO_HANG_S = 120
GOAL, SAMPLES, SAMPLES_PER_STEP = 40, 200, 16
KILLED = {"save_at": 3, "die_at": 22, "die": "body"}


@dataclass
class Place:
    """A store, and the machine it is used from."""

    path: Path
    said: list[str] = field(default_factory=list)

    @property
    def store(self) -> str:
        return str(self.path / "store")

    def torchrun(self, script: Path, *arguments: str, processes: int, plan: dict[str, Any] | None = None) -> int:
        """Its exit code; what the processes printed is added to `said`. Fails where it does not end."""
        (self.path / "store").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        environment = os.environ | {
            "BATONPASS_HOME": str(self.path / "home"),
            "BATONPASS_LEASE_S": "0.5",
            "OMP_NUM_THREADS": "1",
            "PYTHONFAULTHANDLER": "1",
            "RANKS_PLAN": json.dumps(plan or {}),
        }
        with subprocess.Popen(
            [*command, str(script), self.store, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as torchrun:
            try:
                said, _ = torchrun.communicate(timeout=NO_HANG_S)
            except subprocess.TimeoutExpired:
                os.killpg(torchrun.pid, signal.SIGKILL)  # its children, too
                raise
        print(said)  # pytest shows it where a test fails
        self.said += said.splitlines()
        return torchrun.returncode

    def train(self, plan: dict[str, Any] | None = None, *, processes: int = 2) -> int:
        return self.torchrun(HERE / "ranks_training.py", processes=processes, plan=plan)

    def noted(self, what: str, rank: int) -> Any:
        return json.loads((self.path / f"{what}-{rank}.json").read_text())

    def checkpoint(self, *, step: int | None = None) -> Path:
        return bp.restore("many-gpus", store=self.store, to=tempfile.mkdtemp(dir=self.path), step=step)

    def copy(self, path: Path) -> Place:
        """The same store, seen from another machine."""
        shutil.copytree(self.path / "store", path / "store")
        return Place(path)

    @property
    def resumed_from(self) -> Any:
        return next(s.session.resumed_from for s in sessions(self.store) if s.session.resumed_from)


def state(checkpoint: Path) -> dict[str, bytes]:
    """Model and optimizer, bit for bit."""
    files = {name: load_file(checkpoint / f"{name}.safetensors") for name in ("model", "optimizer")}
    return {f"{file}: {k}": v.numpy().tobytes() for file, tensors in files.items() for k, v in tensors.items()}


def step_of(checkpoint: Path) -> int:
    return json.loads((checkpoint / "manifest.json").read_text())["step"]


def shapes(checkpoint: Path) -> dict[str, Any]:
    tensors = json.loads((checkpoint / "manifest.json").read_text())["tensors"]
    return {f"{t['file']}: {t['name']}": (t["dtype"], t["shape"]) for t in tensors if not t["file"].startswith("r")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Place:
    """The example as it stands in the docs, uninterrupted."""
    place = Place(tmp_path_factory.mktemp("whole"))
    assert place.torchrun(EXAMPLE, processes=2) == 0
    return place


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Place:
    """The lead died in a body, some steps after a checkpoint."""
    place = Place(tmp_path_factory.mktemp("killed"))
    assert place.train(KILLED) != 0
    assert place.noted("died-body", 0)
    return place


@pytest.fixture(scope="module")
def whole_in_shards(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("whole_in_shards"))
    assert place.train({"shard": True}) == 0
    return place


@pytest.fixture(scope="module")
def killed_in_shards(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("killed_in_shards"))
    assert place.train(KILLED | {"shard": True}) != 0
    assert place.noted("died-body", 0)
    return place


def test_what_the_docs_quote_stands_in_the_example():
    page = (EXAMPLE.parents[1] / "CHECKPOINTS.md").read_text()
    (quoted,) = re.findall(r"```python\n(distributed\.init.*?)```", page, re.DOTALL)
    lines = [line.split("  #")[0].strip() for line in quoted.splitlines()]
    standing = [line.strip() for line in EXAMPLE.read_text().splitlines()]
    assert len(lines) > 8
    assert [line for line in lines if line not in {*standing, "", "..."}] == []


def test_only_the_first_process_prints_and_holds_a_session(whole):
    assert [line for line in whole.said if "NEW run" in line] == [line for line in whole.said if "NEW run" in line][:1]
    assert sum("safe to close" in line for line in whole.said) == 1
    (only,) = sessions(whole.store)
    assert only.session.step == GOAL


def test_killed_and_resumed_with_as_many_processes_the_end_has_the_same_bits(whole, killed, tmp_path):
    place = killed.copy(tmp_path)
    assert place.train() == 0
    assert place.resumed_from.label == "EXACT", place.resumed_from
    assert 0 < place.resumed_from.step < KILLED["die_at"]
    assert state(place.checkpoint()) == state(whole.checkpoint())


def test_where_the_second_process_forgets_its_random_streams_the_end_is_another_one(whole, killed, tmp_path):
    place = killed.copy(tmp_path)
    assert place.train({"forget": True}) == 0
    assert state(place.checkpoint(step=GOAL)) != state(whole.checkpoint(step=GOAL))


def test_sharded_weights_become_the_files_of_a_single_process(whole, whole_in_shards):
    assert shapes(whole_in_shards.checkpoint()) == shapes(whole.checkpoint())


def test_sharded_killed_and_resumed_the_end_has_the_same_bits(whole_in_shards, killed_in_shards, tmp_path):
    place = killed_in_shards.copy(tmp_path)
    assert place.train({"shard": True}) == 0
    assert place.resumed_from.label == "EXACT", place.resumed_from
    assert state(place.checkpoint()) == state(whole_in_shards.checkpoint(step=GOAL))


def test_one_process_goes_on_with_the_same_data_and_says_what_differs(whole_in_shards, killed_in_shards, tmp_path):
    place = killed_in_shards.copy(tmp_path)
    assert place.train(processes=1) == 0
    assert place.resumed_from.label == "PARTIAL"
    (why,) = [w for w in place.resumed_from.missing if not w.startswith(("cpu:", "threads:"))]
    assert "2 processes cannot be those of 1" in why
    first, second = (whole_in_shards.noted("read", rank) for rank in (0, 1))
    alone = place.noted("read", 0)
    half = SAMPLES_PER_STEP // 2
    per_epoch = -(-SAMPLES // 2 // half)
    assert per_epoch == -(-SAMPLES // SAMPLES_PER_STEP)  # so that steps fall together also at the end of an epoch
    begun = place.resumed_from.step
    for step in range(begun, GOAL):
        epoch, batch = divmod(step, per_epoch)
        at = epoch * SAMPLES // 2 + batch * half
        end = min(at + half, (epoch + 1) * SAMPLES // 2)
        there = {*first[at:end], *second[at:end]}
        start = 2 * at - len_before(begun, per_epoch)
        assert set(alone[start : start + len(there)]) == there, step


def len_before(step: int, per_epoch: int) -> int:
    """Samples of all processes together in the first `step` steps."""
    epochs, batches = divmod(step, per_epoch)
    return epochs * SAMPLES + batches * SAMPLES_PER_STEP


def test_a_buffer_that_stands_still_and_differs_between_the_processes_is_each_ones_own_again(tmp_path):
    """The first process alone sees what does not change; its shard must not take the others' values for its own."""
    place = Place(tmp_path)
    assert place.train({"shard": True, "mark": 0, "save_each": True, "die_at": 22, "die": "body"}) != 0
    manifest = json.loads((place.checkpoint() / "manifest.json").read_text())
    assert "mark" in {t["name"] for t in manifest["tensors"] if t["file"] == "model-frozen.safetensors"}
    assert place.train({"shard": True, "mark": -7}) == 0
    assert place.resumed_from.step > 3
    assert [place.noted("mark", rank) for rank in (0, 1)] == [[0.0, 0.0], [1.0, 1.0]]


def test_a_process_killed_in_the_middle_of_a_save_leaves_the_checkpoint_before_it(tmp_path):
    place = Place(tmp_path)
    assert place.train({"save_at": 3, "die_at": 22, "die": "save"}) != 0
    assert place.noted("died-save", 1)
    (only,) = sessions(place.store)
    assert 0 < step_of(place.checkpoint()) < 22
    assert only.session.checkpoints[-1].step < 22
    assert place.train() == 0
    assert 0 < place.resumed_from.step < 22


def test_a_process_that_gives_nothing_to_a_save_ends_the_saving_and_not_the_training(tmp_path):
    place = Place(tmp_path)
    assert place.train({"deaf": True}) == 0, place.said
    assert place.noted("read", 0)
    assert any("could not be saved: another process" in line for line in place.said)
    assert sum("NOTHING MORE IS SAVED" in line for line in place.said) == 1
    assert any("NOT SAFE YET" in line for line in place.said)
    assert [s.session.checkpoints for s in sessions(place.store)] == [()]


BROKEN = {"shard": True, "save_at": 3, "die_at": 22, "die": "body", "break_at": 10, "samples_per_step": 8}


def test_parts_that_a_process_cannot_find_cost_that_save_and_not_the_training(tmp_path):
    place = Place(tmp_path)
    assert place.train(BROKEN | {"die_at": None, "break": "parts"}) == 0, place.said
    assert place.noted("broke", 1)
    assert any("in process 1: ValueError: broken on purpose" in line for line in place.said)
    assert 0 < step_of(place.checkpoint()) < GOAL


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_between_the_processes_ends_all_of_them_before_a_step_could_mix_it_in(tmp_path, rank):
    place = Place(tmp_path)
    assert place.train(BROKEN | {"die_at": None, "break": "whole", "rank": rank}) != 0
    assert place.noted("broke", rank)
    assert place.noted("error", rank)[0] == "RankLostError"
    assert "start all processes again" in " ".join(place.said)
    before = step_of(place.checkpoint())
    assert 0 < before < GOAL
    assert place.train({"shard": True}) == 0
    assert place.resumed_from.step == before


def test_an_error_of_attach_in_one_process_is_raised_in_all(killed_in_shards, tmp_path):
    place = killed_in_shards.copy(tmp_path)
    assert place.train({"shard": True, "break": "apply", "break_at": 0, "samples_per_step": 8}) != 0
    assert "in process 1: ValueError: broken on purpose" in place.noted("error", 0)[1]


def test_an_error_of_start_in_the_first_process_is_raised_in_all(tmp_path):
    place = Place(tmp_path)
    assert place.train({"start": {"run_id": "12345678", "root_id": "123456789012"}}) != 0
    kinds = [place.noted("error", rank)[0] for rank in (0, 1)]
    assert kinds == ["NotOurFolderError"] * 2
