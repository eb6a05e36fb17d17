"""The steps that run again are compared with what was recorded of them, as exact floats."""

from __future__ import annotations

import math

import pytest

from batonpass.core.metrics.replay import STEPS_COMPARED, compare_again, first_steps
from batonpass.core.metrics.row import Row


def rows(*triples):
    """(step, name, value) in the order of logging."""
    return [Row(n, step, 0.0, 0.0, name, value) for n, (step, name, value) in enumerate(triples)]


THEN = rows((11, "lr", 0.1), (11, "loss", 0.5), (12, "lr", 0.1), (12, "loss", 0.25))


def test_equal_steps_are_counted_and_the_loss_of_the_first_is_quoted():
    found = compare_again(THEN, THEN)
    assert (found.steps, found.first_step, found.last_step) == (2, 11, 12)
    assert (found.metric, found.value, found.differs_at) == ("loss", 0.5, None)


def test_the_last_bit_of_one_value_is_noticed_and_named():
    now = [*THEN[:3], THEN[3]._replace(value=math.nextafter(0.25, 1))]
    found = compare_again(THEN, now)
    assert (found.differs_at, found.metric, found.before) == (12, "loss", 0.25)
    assert found.value > 0.25


def test_a_step_that_was_left_in_its_middle_is_compared_as_far_as_it_went():
    whole = rows((11, "loss", 0.5), (11, "loss", 0.6), (11, "loss", 0.7))
    assert compare_again(whole[:2], whole).differs_at is None
    assert compare_again(whole, whole[:1]).differs_at is None
    assert compare_again(whole[1:], whole).differs_at == 11


def test_not_a_number_equals_itself_and_nothing_else():
    nan = rows((11, "loss", math.nan))
    assert compare_again(nan, nan).differs_at is None
    assert compare_again(nan, rows((11, "loss", 0.5))).differs_at == 11


@pytest.mark.parametrize(
    "name", ["step_time", "time/step", "seconds", "it_s", "step_s", "samples_per_s", "gpu_mem", "tokens_per_sec"]
)
def test_what_measures_the_machine_is_passed_over(name):
    then, now = rows((11, name, 1.0), (11, "loss", 0.5)), rows((11, name, 2.0), (11, "loss", 0.5))
    assert compare_again(then, now).differs_at is None
    assert compare_again(then[:1], now[:1]) is None


@pytest.mark.parametrize(
    "name", ["loss", "val/accuracy", "timestep_loss", "lr", "per_class_f1", "perplexity", "s_loss"]
)
def test_what_the_training_computes_is_not_passed_over(name):
    assert compare_again(rows((11, name, 1.0)), rows((11, name, 2.0))).differs_at == 11


def test_with_nothing_in_common_nothing_is_said():
    assert compare_again(THEN, rows((30, "loss", 1.0))) is None
    assert compare_again([], THEN) is None


def test_only_the_first_steps_are_looked_at():
    many = rows(*((step, name, 1.0) for step in range(0, 500, 5) for name in ("a", "b")))
    kept = first_steps(many)
    assert [row.step for row in kept[::2]] == list(range(0, 5 * STEPS_COMPARED, 5))
