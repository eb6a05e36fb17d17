"""The cells that the README shows do what it says: the flat loop, the nested loop, and the same cells again on day 2."""

from __future__ import annotations

import re

import pytest
import torch
from house.checkout import CHECKOUT
from torch.utils.data import DataLoader, TensorDataset

import batonpass as bp

FLAT, NESTED = re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
STORE, GOAL = '"/content/drive/MyDrive/batonpass"', "goal_steps=10_000"


def a_users_names() -> dict:
    """What a notebook has defined before the README's cells come."""
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train_step(batch):
        optimizer.zero_grad()
        loss = model(batch[0]).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return {
        "model": model,
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 5),
        "loader": DataLoader(TensorDataset(torch.rand(24, 3)), batch_size=2, shuffle=True),
        "train_step": train_step,
        "validate": lambda model: 0.5,
    }


@pytest.fixture
def flat(tmp_path):
    assert STORE in FLAT
    assert GOAL in FLAT
    return FLAT.replace(STORE, repr(str(tmp_path / "store"))).replace(GOAL, "goal_steps=30")


def test_the_flat_loop_trains_to_the_goal_and_day_two_has_nothing_left_to_do(flat, capsys):
    exec(flat, a_users_names())
    assert "finished at step 30 of 30; step 30 is on the store, verified: safe to close" in capsys.readouterr().out
    exec(flat, a_users_names())
    assert "nothing lost" in capsys.readouterr().out


def test_the_same_cells_go_on_where_an_interrupted_day_stopped(flat, capsys):
    with pytest.raises(KeyboardInterrupt):
        exec(
            flat.replace("    run.log", "    if run.step == 20: raise KeyboardInterrupt\n    run.log"),
            names := a_users_names(),
        )
    names["run"].finish()
    capsys.readouterr()
    exec(flat, a_users_names())
    assert re.search(r"continuing at step (20|21) of 30; nothing lost", capsys.readouterr().out)


def test_the_nested_loop_runs_every_epoch(tmp_path):
    names = a_users_names()
    run = bp.start("nested", store=tmp_path / "store", save_every_s=1e6)
    names["run"] = run.attach(**{name: names[name] for name in ("model", "optimizer", "scheduler")})
    assert "run.epochs(30)" in NESTED
    exec(NESTED.replace("run.epochs(30)", "run.epochs(3)"), names)
    assert run.finish(done=True)
    assert run.step == 3 * 3
    assert names["scheduler"].last_epoch == 3
