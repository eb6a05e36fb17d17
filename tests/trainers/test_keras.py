"""A real Keras training that is killed goes on, on another machine, to the very same weights."""

from __future__ import annotations

import pytest
from trainers.libraries import need

pytestmark = [pytest.mark.trainers, pytest.mark.slow, pytest.mark.timeout(900)]
PROGRAM = "keras_training.py"


@pytest.fixture(autouse=True)
def _keras():
    need("keras")


@pytest.mark.parametrize("order", [(), ("--first",)], ids=["behind ModelCheckpoint", "before ModelCheckpoint"])
def test_a_killed_training_ends_with_the_same_weights(play, curve, order):
    whole = play(PROGRAM, "uninterrupted", *order, store="other")
    assert play(PROGRAM, "first", *order, "--kill", "15").was_killed
    second = play(PROGRAM, "second", *order, "--resume")
    assert second.weights == whole.weights
    assert ": EXACT" in second.said
    assert curve("loss") == list(range(1, 25))


def test_without_the_side_car_the_weights_are_others_and_it_is_said(play):
    """The negative control of the above."""
    whole = play(PROGRAM, "uninterrupted", store="other")
    assert play(PROGRAM, "first", "--kill", "15").was_killed
    second = play(PROGRAM, "second", "--resume", "--without")
    assert second.weights != whole.weights
    assert ": PARTIAL" in second.said


def test_a_real_file_is_known_to_hold_the_optimizer_and_its_step(play, tmp_path):
    from batonpass.sync.foreign import read_position, what_is_missing

    assert play(PROGRAM, "first").code == 0
    path = tmp_path / "first" / "out" / "epoch-2.keras"
    assert what_is_missing(path, [path.name]) == ()
    path.with_name(path.name + ".batonpass.safetensors").unlink()
    assert any("no random number state" in each for each in what_is_missing(path, [path.name]))
    assert not any("optimizer" in each for each in what_is_missing(path, [path.name]))
    assert read_position(path).step == 2
