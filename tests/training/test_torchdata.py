"""torchdata's StatefulDataLoader: rebuilt where only the loader has a state (its own brings back the order, not the augmentation),
continued from its own state where the dataset has one too.
"""

from __future__ import annotations

import pytest
from training.parts import Remembering
from training.played import play
from training.recipes import Plain, Recipe
from training.relay import Augmented

pytestmark = [
    pytest.mark.trainers,
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata calls it
]
torchdata = pytest.importorskip("torchdata.stateful_dataloader")


def _map_style(workers: int):
    return torchdata.StatefulDataLoader(Augmented(), batch_size=4, shuffle=True, num_workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_map_style_dataset_is_rebuilt_and_exact(workers, tmp_path):
    recipe = Recipe(Plain(data=lambda: _map_style(workers)))
    expected, _ = play(recipe, tmp_path / "whole", goal=12)
    found, legs = play(recipe, tmp_path / "relay", goal=12, deaths=(3, 8))
    assert found == expected
    assert legs[-1].report.label == "EXACT"
    assert not legs[-1].loop.doubts


def test_its_own_state_is_used_where_the_dataset_keeps_one(tmp_path):
    recipe = Recipe(Plain(data=lambda: torchdata.StatefulDataLoader(Remembering(), batch_size=4)))
    expected, _ = play(recipe, tmp_path / "whole", goal=12)
    found, legs = play(recipe, tmp_path / "relay", goal=12, deaths=tuple(range(1, 12)))
    assert found == expected
    assert any("own position" in doubt for doubt in legs[-1].loop.doubts)
