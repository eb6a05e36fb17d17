"""What the real loggers write arrives as the real readers read it."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from watch.conftest import settle
from watch.metric_files import Logged

from batonpass.core.settings import Settings
from batonpass.sync.stores import open_store
from batonpass.sync.watching import Watch, WatchOptions

pytestmark = pytest.mark.trainers
REQUIRED = bool(os.environ.get("BATONPASS_REQUIRE_TRAINERS"))  # read here: every test gets a clean environment
WRITERS = Path(__file__).with_name("metric_writers.py")


def write(which, folder, needs, *words):
    """Run a real logger; what it says it has logged. Skips without its library, unless the trainers are required."""
    lost = [name for name in needs if importlib.util.find_spec(name) is None]
    if lost and not REQUIRED:
        pytest.skip(f"{', '.join(lost)} is not installed (extra `trainers`)")
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(WRITERS), which, str(folder), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def taken_in(tmp_path):
    """The curves of a run after a watch of the output folder."""
    settings = Settings(home=tmp_path / "home", lease_s=0.2)

    def take():
        watch = Watch(
            open_store(str(tmp_path / "drive"), settings), tmp_path / "out", "cats", account="", settings=settings,
            options=WatchOptions(every_s=0.02, say=lambda _: None),
        )  # fmt: skip
        settle(watch)
        assert watch.close()
        return Logged(tmp_path), watch

    return take


def same(curve, expected, *, within=0.0):
    return [s for s, _ in curve] == [s for s, _ in expected] and all(
        math.isclose(a, b, rel_tol=within) or (math.isnan(a) and math.isnan(b))
        for (_, a), (_, b) in zip(curve, expected, strict=True)
    )


def test_torchs_summary_writer_as_tensorboard_reads_it_back(tmp_path, taken_in):
    expected = write("summary_writer", tmp_path / "out", ["tensorboard", "torch"])
    logged, _ = taken_in()
    assert {"loss", "new/loss", "exact", "odd", "hparam/best"} <= set(expected)
    assert set(logged.series) == set(expected)
    for name, curve in expected.items():
        assert same(logged.curve(name), curve), name


def test_lightnings_csv_logger(tmp_path, taken_in):
    expected = write("lightning_csv", tmp_path / "out", ["lightning"])
    logged, _ = taken_in()
    assert {name: same(logged.curve(name), curve) for name, curve in expected.items()} == {"loss": True, "val": True}
    assert logged.sessions[-1].rewinds == ()


def test_kerass_csv_logger_and_its_checkpoint(tmp_path, taken_in):
    expected = write("keras_csv", tmp_path / "out", ["keras", "torch"])
    logged, _ = taken_in()
    assert same(logged.curve("loss"), expected["loss"], within=1e-9)
    assert logged.sessions[-1].step == 2
    assert len(logged.sessions[-1].checkpoints) == 1


@pytest.mark.parametrize("report", [["tensorboard"], ["none"]])
def test_the_hugging_face_trainer_with_and_without_tensorboard(tmp_path, taken_in, report):
    expected = write("hugging_face", tmp_path / "out", ["transformers", "accelerate", "tensorboard"], *report)
    logged, watch = taken_in()
    prefix = "train/" if report == ["tensorboard"] else ""
    assert watch.metrics.source.words == ("TensorBoard events" if prefix else "trainer_state.json")
    for name, curve in expected.items():
        assert same(logged.curve(f"{prefix}{name}"), curve, within=1e-6), name
    assert logged.sessions[-1].step == 6
    assert [c.step for c in logged.sessions[-1].checkpoints][-1] == 6
