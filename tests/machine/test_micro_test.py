"""The micro-test counts rightly and disturbs nothing; how fast a machine is, is no test."""

from __future__ import annotations

import subprocess
import sys

from batonpass.core.training.micro_test import micro_test, repetitions_per_second


class SlowWork:
    """A clock that moves 0.25 s with each repetition and not otherwise."""

    def __init__(self):
        self.now = 0.0
        self.waits = 0

    def work(self):
        self.now += 0.25

    def wait(self):
        self.waits += 1


def test_repetitions_are_counted_against_the_time_they_took_without_the_warm_up():
    slow = SlowWork()
    assert repetitions_per_second(slow.work, 10.0, slow.wait, lambda: slow.now) == 4.0
    assert slow.waits >= 2


def test_work_slower_than_the_budget_is_still_done_once():
    slow = SlowWork()
    assert repetitions_per_second(slow.work, 0.01, slow.wait, lambda: slow.now) == 4.0


def test_the_processor_gets_positive_figures_and_the_random_state_stays():
    import torch

    before = torch.get_rng_state()
    result = micro_test(0.05)
    assert torch.equal(torch.get_rng_state(), before)
    assert {"device", "matmul_fp32_tflops", "copy_gbs"} <= set(result)
    assert all(value > 0 for key, value in result.items() if key != "device")


def test_cards_do_not_load_torch():
    code = "import sys, batonpass.card; print({'torch', 'numpy', 'IPython', 'pynvml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
