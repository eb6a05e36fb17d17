"""Choosing among very many checkpoints: a list that a browser bears, and any other one by its step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from batonpass.core.model import CheckpointListing
from batonpass.streamlit_app.components.shortlist import NEWEST, at_step, best_by, shortlist, steps_around

from .conftest import HOSTILE, AppMaker, edit, words

NOW = datetime(2026, 11, 27, tzinfo=UTC)
CATS = "1a5e0000"
MANY = 10_000


def listing(step: int, **metrics: float) -> CheckpointListing:
    at = NOW + timedelta(seconds=step)
    return CheckpointListing(
        f"runs/r/checkpoints/{step}-s-1.json", step, 1, 0.0, at, at, 1, "0" * 64, 0, 0.0, True, metrics=metrics
    )


def test_few_checkpoints_are_all_offered_newest_first() -> None:
    found = [listing(step) for step in (30, 20, 10)]
    assert list(shortlist(found)) == [c.key for c in found]


def test_of_many_the_newest_are_offered_and_the_best_by_each_metric_that_tells_which_way() -> None:
    found = [listing(step, loss=abs(step - 77), accuracy=-abs(step - 55), lr=step) for step in range(MANY, 0, -1)]
    offered = shortlist(found)
    assert len(offered) == NEWEST + 2
    assert {key: why for key, why in offered.items() if why} == {
        listing(77).key: "loss",
        listing(55).key: "accuracy",
    }
    assert list(offered)[:NEWEST] == [c.key for c in found[:NEWEST]]


def test_a_number_that_is_none_is_never_the_best_and_of_equals_the_newest_is() -> None:
    found = [listing(4, loss=float("nan")), listing(3, loss=1.0), listing(2, loss=1.0), listing(1, loss=float("-inf"))]
    assert best_by(found) == {found[1].key: "loss"}


def test_a_step_is_found_or_its_neighbours_are_named() -> None:
    found = [listing(30), replace(listing(20), key="newer"), listing(20), listing(10)]
    wanted = at_step(found, 20)
    assert wanted is not None
    assert wanted.key == "newer"
    assert at_step(found, 21) is None
    assert steps_around(found, 21) == (20, 30)
    assert steps_around(found, 5) == (10,)
    assert steps_around([], 5) == ()


@pytest.fixture
def many(store: Path) -> Path:
    """cats-v2, whose live session lists ten thousand checkpoints."""
    folder = next((store / "runs").glob("cats*")) / "sessions"
    path = max(folder.iterdir(), key=lambda p: p.stat().st_mtime)
    first: dict[str, Any] = json.loads(path.read_text())["checkpoints"][-1]
    stem = first["key"].rsplit("/", 1)[0]
    listed = [
        first
        | {"key": f"{stem}/{1000 + n}-many-1.json", "step": 1000 + n, "metrics": {"loss": abs(n - 70), HOSTILE: 1.0}}
        for n in range(MANY - 1)
    ]
    edit(path, checkpoints=[*listed, first])
    return store


@pytest.mark.parametrize(
    ("page", "key", "other"),
    [("run", f"checkpoint-{CATS}", f"other-step-{CATS}"), ("resume", "checkpoint", "other-step")],
)
def test_ten_thousand_checkpoints_make_a_short_list_and_any_step_can_be_typed(
    app: AppMaker, many: Path, page: str, key: str, other: str
) -> None:
    at = app(many, page=page, run=CATS)
    assert not at.exception
    options = at.selectbox(key=key).proto.options
    assert NEWEST <= len(options) <= NEWEST + 4
    assert any("best" in option for option in options)
    at = at.number_input(key=other).set_value(1500).run()
    assert not at.exception
    assert "Chosen by its step" in words(at)
    assert "step 1,500" in words(at)
    at = at.number_input(key=other).set_value(999_999_999).run()
    assert "No checkpoint is of step 999,999,999" in words(at)
    assert not at.exception


def test_few_checkpoints_are_chosen_from_the_list_alone(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    assert not [n for n in at.number_input if n.label == "Any other step"]
