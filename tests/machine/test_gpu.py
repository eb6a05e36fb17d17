"""What NVML says, and what happens when it says nothing: on recorded readings."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from batonpass.core.gpu.catalogue import match_gpu
from batonpass.core.settings import read_settings
from batonpass.sync import gpu

GIB = 2**30


@pytest.mark.parametrize(
    ("reading", "entry", "capability", "gib"),
    [
        ("k80", "K80", "3.7", 11),
        ("p100", "P100", "6.0", 16),
        ("t4", "T4", "7.5", 15),
        ("v100", "V100 16GB", "7.0", 16),
        ("l4", "L4", "8.9", 22),
        ("a100_40", "A100 40GB", "8.0", 40),
        ("a100_80", "A100 80GB", "8.0", 80),
    ],
)
def test_each_recorded_card_is_listed_and_found_in_the_catalogue(nvml, reading, entry, capability, gib):
    nvml(reading)
    (found,) = gpu.list_gpus()
    assert match_gpu(found.name, found.memory_bytes).name == entry
    assert found.compute_capability == capability
    assert found.memory_bytes // GIB == gib
    assert found.driver


def test_two_t4_are_two_cards_with_hashes_of_their_own(nvml):
    nvml("two_t4")
    first, second = gpu.list_gpus()
    assert first.uuid_hash != second.uuid_hash
    assert "GPU-" not in repr((first, second))
    assert gpu.list_gpus() == (first, second)
    assert [s.index for s in gpu.sample_gpus()] == [0, 1]


def test_a_card_has_another_hash_for_another_user(nvml, tmp_path):
    nvml("t4")
    (here,), (there,) = gpu.list_gpus(read_settings().home), gpu.list_gpus(tmp_path)
    assert here.uuid_hash != there.uuid_hash


def test_a_sample_is_in_percent_bytes_degrees_and_watts(nvml):
    nvml("t4")
    (sample,) = gpu.sample_gpus()
    assert sample.utilisation_percent == 97.0
    assert sample.memory_used_bytes == 10240 * 2**20
    assert sample.temperature_c == 71.0
    assert sample.power_w == pytest.approx(68.4)
    assert sample.at.tzinfo is not None


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ("no_gpu", "no NVIDIA driver"),
        ("driver_not_loaded", "not loaded"),
        ("driver_mismatch", "different versions"),
        ("empty", "lists no GPU"),
    ],
)
def test_a_machine_without_a_usable_driver_has_no_gpu_and_says_why(nvml, reading, words):
    nvml(reading)
    found = gpu.read_gpus()
    assert found.gpus == ()
    assert words in found.problem
    assert gpu.sample_gpus() == ()


def test_what_the_driver_does_not_report_is_none_and_the_rest_is_kept(nvml):
    nvml("unsupported")
    (sample,) = gpu.sample_gpus()
    assert (sample.utilisation_percent, sample.temperature_c, sample.power_w) == (None, None, None)
    assert sample.memory_used_bytes is not None


def test_a_card_that_fell_off_the_bus_is_still_listed_without_facts(nvml):
    nvml("lost")
    (found,) = gpu.list_gpus()
    assert (found.memory_bytes, found.compute_capability, found.uuid_hash) == (0, None, None)
    (sample,) = gpu.sample_gpus()
    assert sample.memory_used_bytes is None


def test_nvml_is_closed_after_each_question(nvml):
    module = nvml("t4")
    gpu.list_gpus()
    gpu.sample_gpus()
    assert module.open_sessions == 0


def test_without_the_library_there_is_no_gpu_and_no_error(nvml, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py" in gpu.read_gpus().problem
    assert gpu.sample_gpus() == ()


def test_a_deprecation_warning_of_an_old_pynvml_does_not_reach_the_user(nvml, monkeypatch, tmp_path):
    (tmp_path / "pynvml.py").write_text(
        "import warnings; warnings.warn('gone soon', FutureWarning)\nraise ImportError\n"
    )
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert gpu.read_gpus().gpus == ()  # warnings are errors here: it would have raised something else


def test_a_driver_that_hangs_costs_the_budget_and_one_thread_and_recovers(nvml):
    module = nvml("t4")
    release = threading.Event()
    start, module.nvmlInit = module.nvmlInit, lambda: release.wait(60) and None
    before = threading.active_count()
    try:
        assert "did not answer" in gpu.read_gpus(budget_s=0.05).problem
        assert "earlier question" in gpu.read_gpus(budget_s=0.01).problem
        assert gpu.sample_gpus(budget_s=0.01) == ()
        assert threading.active_count() == before + 1
    finally:
        module.nvmlInit = start
        release.set()
    assert gpu.sample_gpus(budget_s=30)


def test_an_unforeseen_failure_inside_the_library_is_an_answer_too(nvml):
    module = nvml("t4")

    def break_down():
        raise OSError("libnvidia-ml.so.1: undefined symbol")

    module.nvmlInit = break_down
    assert "undefined symbol" in gpu.read_gpus().problem


def test_importing_the_door_loads_neither_nvml_nor_torch():
    code = "import sys, batonpass.sync.gpu; print({'pynvml', 'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
