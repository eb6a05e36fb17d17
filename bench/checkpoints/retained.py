"""The promises of retention on 10,000 histories that Hypothesis draws: the properties are those of the test suite, run longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import test_retention
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import integers
from tables import render

_HISTORIES = (test_retention.ACTIONS, test_retention.FLAGS, test_retention.POLICY)
PROMISES = {
    "the newest durable one stays, the budget is as told, nothing in use goes": (
        test_retention.test_every_promise_of_retention_holds_on_any_history,
        given(*_HISTORIES, integers(0, 120)),
    ),
    "applied twice there is nothing to do, and the resume point is the same": (
        test_retention.test_a_plan_applied_twice_has_nothing_left_to_do_and_the_resume_point_stays,
        given(*_HISTORIES),
    ),
}


def measure(folder: Path, *, smoke: bool, seed: int) -> str:  # noqa: ARG001
    """Each promise on as many histories; then without its protection, where it must be found broken."""
    count = 20 if smoke else 10_000
    rows = [[name, f"{count:,}", _outcome(*promise, count, seed)] for name, promise in PROMISES.items()]
    kept, test_retention.plan_retention = test_retention.plan_retention, _forgetful
    try:
        rows.append(
            [
                "the first of them, with a plan that removes all (must be noticed)",
                "",
                _outcome(*next(iter(PROMISES.values())), 200, seed),
            ]
        )
    finally:
        test_retention.plan_retention = kept
    return render(f"Retention on random histories, seed {seed}", ["promise", "histories", "outcome"], rows)


def _outcome(promise: Any, drawing: Callable[[Any], Any], count: int, number: int) -> str:
    more = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    inner = promise.hypothesis.inner_test
    bare = FunctionType(inner.__code__, inner.__globals__, inner.__name__)  # without the suite's own settings
    drawn = seed(number)(more(drawing(bare)))
    try:
        drawn()
    except AssertionError:
        return "broken"
    return "holds"


def _forgetful(*arguments: Any, **more: Any) -> Any:
    """Plans to remove whatever the real plan keeps."""
    from dataclasses import replace

    from batonpass.core.retention import plan_retention

    plan = plan_retention(*arguments, **more)
    return replace(plan, keep=(), remove=(*plan.keep, *plan.remove))
