"""Whatever a training is made of: stopped at random steps and resumed in new objects, it ends with the very same bits; and each
part is really needed, for without it the end is another one.
"""

from __future__ import annotations

import random

import pytest
import torch
from torch.utils.data import DataLoader, random_split
from training.parts import Counting
from training.played import STREAMS, play
from training.recipes import RECIPES, Plain, Recipe, loader
from training.relay import Augmented

GOAL = 17
FORGOTTEN = [(name, part) for name, recipe in RECIPES.items() for part in recipe.forgotten]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Digests of uninterrupted runs, by recipe."""
    digests: dict[str, str] = {}

    def found(name: str) -> str:
        if name not in digests:
            digests[name] = play(RECIPES[name], tmp_path_factory.mktemp("whole"), goal=GOAL)[0]
        return digests[name]

    return found


@pytest.mark.parametrize("name", RECIPES)
def test_stopped_at_random_steps_the_end_has_the_same_bits(name, whole, tmp_path):
    deaths = tuple(sorted(random.Random(name).sample(range(1, GOAL), 4)))
    found, legs = play(RECIPES[name], tmp_path, goal=GOAL, deaths=deaths)
    assert found == whole(name), deaths
    assert [leg.report.missing for leg in legs[1:]] == [()] * len(deaths)
    assert [leg.report.label for leg in legs[1:]] == ["EXACT"] * len(deaths)
    assert not any(leg.loop.doubts for leg in legs)


@pytest.mark.parametrize(("name", "part"), FORGOTTEN, ids=[f"{n}: {p}" for n, p in FORGOTTEN])
def test_without_one_part_the_end_is_another_one(name, part, whole, tmp_path):
    found, legs = play(RECIPES[name], tmp_path, goal=GOAL, deaths=(7,), forgotten=part)
    assert found != whole(name)
    assert legs[1].report.label == "PARTIAL"
    assert part in " ".join(legs[1].report.missing)


@pytest.mark.parametrize("name", ["optimizer: SGD", "data: weighted", "several models and optimizers"])
def test_without_the_random_streams_the_end_is_another_one(name, whole, tmp_path):
    assert play(RECIPES[name], tmp_path, goal=GOAL, deaths=(7,), forgotten=STREAMS)[0] != whole(name)


def test_an_unseeded_split_is_noticed_and_said_in_words(tmp_path):
    def split():
        torch.seed()
        return DataLoader(random_split(Augmented(), [20, 10])[0], batch_size=4, shuffle=True)

    _, legs = play(Recipe(Plain(data=split)), tmp_path, goal=GOAL, deaths=(7,))
    (doubt,) = legs[1].loop.doubts
    assert "the dataset is split differently than before" in doubt
    assert "random_split" in doubt
    assert "manual_seed" in doubt
    assert any("PARTIAL" in line for line in legs[1].lines)


def test_a_split_with_a_seed_raises_no_doubt(tmp_path):
    def split():
        parts = random_split(Augmented(), [20, 10], generator=torch.Generator().manual_seed(3))
        return DataLoader(parts[0], batch_size=4, shuffle=True)

    recipe = Recipe(Plain(data=split))
    expected, _ = play(recipe, tmp_path / "whole", goal=GOAL)
    found, legs = play(recipe, tmp_path / "relay", goal=GOAL, deaths=(7,))
    assert found == expected
    assert not legs[1].loop.doubts


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sampler_that_counts_its_own_passes_is_noticed(workers, tmp_path):
    recipe = Recipe(Plain(data=lambda: loader(shuffle=None, sampler=Counting(), num_workers=workers)))
    _, legs = play(recipe, tmp_path, goal=GOAL, deaths=(10,))  # in the second pass
    (doubt,) = legs[1].loop.doubts
    assert "the sampler drew other batches than before" in doubt
    assert "set_epoch" in doubt
    assert legs[1].loop.data_seen == "other"


@pytest.mark.parametrize(
    "name", ["data: weighted", "data: a batch sampler of one's own", "data: the share of one rank"]
)
def test_a_drawn_order_is_recognised_in_the_middle_of_an_epoch(name, tmp_path):
    _, legs = play(RECIPES[name], tmp_path, goal=GOAL, deaths=(3,))
    assert legs[1].loop.data_seen == "same"


@pytest.mark.parametrize("name", [name for name in RECIPES if "dataset with a state" in name or "with a rest" in name])
def test_killed_after_every_step_a_dataset_with_a_state_goes_on(name, whole, tmp_path):
    assert play(RECIPES[name], tmp_path, goal=GOAL, deaths=tuple(range(1, GOAL)))[0] == whole(name)
