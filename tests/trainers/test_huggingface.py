"""A real training with `transformers.Trainer` that is killed goes on, on another machine, to the very same weights."""

from __future__ import annotations

import pytest
from trainers.libraries import need

pytestmark = [pytest.mark.trainers, pytest.mark.slow, pytest.mark.timeout(900)]
PROGRAM = "huggingface_training.py"
EVERY = ("--every", "5")


@pytest.fixture(autouse=True)
def _transformers():
    need("transformers")
    need("accelerate")


@pytest.mark.parametrize(
    "how",
    [("--limit", "1"), ("--augment", "--steady"), ("--augment", "--steady", "--workers", "2")],
    ids=["rotation keeps one", "augmentation", "augmentation in workers"],
)
def test_a_killed_training_ends_with_the_same_weights(play, curve, how):
    whole = play(PROGRAM, "uninterrupted", *EVERY, *how, store="other")
    assert play(PROGRAM, "first", *EVERY, *how, "--kill", "13").was_killed
    second = play(PROGRAM, "second", *EVERY, *how, "--resume")
    assert second.weights == whole.weights
    assert ": EXACT" in second.said
    assert curve("loss") == list(range(1, 25))


def test_augmentation_that_is_not_steady_makes_other_weights_and_it_is_said(play):
    """The negative control of the above: what the Trainer does by itself."""
    how = (*EVERY, "--augment")
    whole = play(PROGRAM, "uninterrupted", *how, store="other")
    assert play(PROGRAM, "first", *how, "--kill", "13").was_killed
    second = play(PROGRAM, "second", *how, "--resume")
    assert second.weights != whole.weights
    assert ": PARTIAL" in second.said
    assert "callback.steady(dataset)" in second.said


def test_a_checkpoint_that_was_being_written_when_it_died_is_not_taken(play, published, tmp_path):
    whole = play(PROGRAM, "uninterrupted", *EVERY, store="other")
    first = play(PROGRAM, "first", *EVERY, "--die-saving", "15")
    assert first.was_killed
    out = tmp_path / "first" / "out"
    assert (out / "checkpoint-15").is_dir()
    assert not (out / "checkpoint-15" / "trainer_state.json").exists()
    assert max(c.step for s in published().sessions for c in s.session.checkpoints) < 15
    second = play(PROGRAM, "first", *EVERY, "--resume")
    assert second.weights == whole.weights
    assert {c.step for s in published().sessions for c in s.session.checkpoints} <= {5, 10, 15, 20, 24}
