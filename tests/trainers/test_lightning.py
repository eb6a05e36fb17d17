"""A real Lightning training that is killed goes on, on another machine, to the very same weights."""

from __future__ import annotations

import pytest
from trainers.libraries import need

pytestmark = [pytest.mark.trainers, pytest.mark.slow, pytest.mark.timeout(900)]
PROGRAM = "lightning_training.py"


@pytest.fixture(autouse=True)
def _lightning():
    need("lightning")


@pytest.mark.parametrize(
    ("how", "killed_at"),
    [(("--every", "5"), 13), (("--every", "4", "--workers", "2"), 10), (("--validate",), 14)],
    ids=["inside an epoch", "inside an epoch, with workers", "at an epoch's end, with validation"],
)
def test_a_killed_training_ends_with_the_same_weights(play, curve, published, how, killed_at):
    whole = play(PROGRAM, "uninterrupted", *how, store="other")
    assert play(PROGRAM, "first", *how, "--kill", str(killed_at)).was_killed
    second = play(PROGRAM, "second", *how, "--resume")
    assert second.weights == whole.weights
    assert ": EXACT" in second.said
    record = published().sessions[-1].session.resumed_from
    assert (record.label, record.missing) == ("EXACT", ())
    assert curve("loss") == list(range(1, 25))


def test_without_the_side_car_the_weights_are_others_and_it_is_said(play):
    """The negative control of the above: Lightning's own resume."""
    how = ("--every", "5")
    whole = play(PROGRAM, "uninterrupted", *how, store="other")
    assert play(PROGRAM, "first", *how, "--kill", "13").was_killed
    second = play(PROGRAM, "second", *how, "--resume", "--without")
    assert second.weights != whole.weights
    assert ": PARTIAL" in second.said


def test_the_checkpoint_opens_with_plain_torch(play, tmp_path):
    import torch

    from batonpass.sync.foreign import read_position, what_is_missing

    assert play(PROGRAM, "first", "--epochs", "1").code == 0
    path = next((tmp_path / "first" / "out").glob("*.ckpt"))
    assert "BatonpassCallback" in torch.load(path, weights_only=True)["callbacks"]
    assert what_is_missing(path, [path.name]) == ()
    assert read_position(path.rename(path.with_name("last.ckpt"))).step == 6
