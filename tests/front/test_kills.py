"""Real SIGKILL on a real training, in processes of their own: nothing that was called durable is lost, and the end is bit-identical."""

from __future__ import annotations

import random

import pytest

from batonpass.demo.proof import check_durable
from batonpass.demo.relay import Stage, draw_kills, run_leg, start_reference
from batonpass.sync.stores import open_store

STEPS = 150


@pytest.mark.slow
def test_a_relay_through_three_killed_machines_ends_with_the_uninterrupted_runs_weights(tmp_path):
    stage = Stage(tmp_path, STEPS)
    reference = start_reference(stage)
    kills = draw_kills(STEPS, 3, random.Random(11))
    legs = []
    for number, kill_at in enumerate([*kills, None], start=1):
        legs.append(run_leg(stage, number, kill_at))
        durability = check_durable(open_store(stage.store))
        assert durability.holds
    output, _ = reference.communicate(timeout=120)
    assert [leg.killed_at is not None for leg in legs] == [True, True, True, False]
    assert any("continuing at step" in line for line in legs[-1].said)
    assert f"weights {legs[-1].weights}" in output.splitlines()


@pytest.mark.slow
def test_killed_on_one_machine_the_next_process_ships_what_was_left_and_goes_on_from_it(tmp_path):
    stage = Stage(tmp_path, STEPS)
    first = run_leg(stage, 1, 70)
    second = run_leg(stage, 1, None)
    assert first.killed_at is not None
    assert second.weights is not None
    assert any("continuing at step" in line for line in second.said)
