"""JSON that trainers log: one object a line, and the `log_history` of the Hugging Face Trainer's `trainer_state.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from batonpass.core.metrics.foreign.point import Point, make_point, to_time
from batonpass.core.metrics.foreign.steps import StepCounter, find_step_name

NESTED_LIMIT = 4
VALUES_LIMIT = 10_000
_TIME_NAMES = ("_timestamp", "timestamp", "wall_time", "time")
_TRIES = 100


class JsonLinesParser:
    """Turns the lines of one JSON Lines file into points. `refused` says why it is no log of metrics, after a hundred lines without one."""

    def __init__(self) -> None:
        self._counter = StepCounter()
        self._found = 0
        self._other = 0
        self.refused = ""

    def take(self, line: bytes) -> Point | None:
        """The point of a line; None where it holds none."""
        if self.refused:
            return None
        point = self._read(line)
        self._found += point is not None
        self._other += point is None
        if not self._found and self._other >= _TRIES:
            self.refused = "no line has a step and a number"
        return point

    def _read(self, line: bytes) -> Point | None:
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(tree, dict):
            return None
        named = dict(_flatten(tree))
        step = find_step_name(named)
        if step is None:
            return None
        at = next((t for name in _TIME_NAMES if (t := to_time(named.get(name))) is not None), None)
        values = [(n, v) for n, v in named.items() if n != step and n not in _TIME_NAMES and not isinstance(v, str)]
        point = make_point(named[step], values, at=at)
        if point is None:
            return None
        if step.strip().lower() == "epoch":
            return point._replace(epoch=float(point.step))
        return point._replace(step=self._counter.count(point.step, point.epoch))


def parse_log_history(data: bytes) -> list[Point]:
    """The points of a `trainer_state.json`, in the order of its `log_history`. ValueError for what is not whole JSON or has no such list."""
    try:
        tree = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    history = tree.get("log_history") if isinstance(tree, dict) else None
    if not isinstance(history, list):
        raise ValueError("it has no log_history")  # noqa: TRY004  # one kind of error for whatever a file may hold
    found = (_history_point(entry) for entry in history if isinstance(entry, dict))
    return [point for point in found if point is not None]


def _history_point(entry: Mapping[str, object]) -> Point | None:
    return make_point(entry.get("step"), [(n, v) for n, v in entry.items() if n != "step" and not isinstance(v, str)])


def _flatten(tree: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Nested objects as "outer/inner", down to `NESTED_LIMIT`, without recursion."""
    waiting: list[tuple[str, Mapping[str, object], int]] = [("", tree, 0)]
    count = 0
    while waiting:
        prefix, each, depth = waiting.pop(0)
        for name, value in each.items():
            count += 1
            if count > VALUES_LIMIT:
                return
            if not isinstance(value, dict):
                yield f"{prefix}{name}", value
            elif depth + 1 < NESTED_LIMIT:
                waiting.append((f"{prefix}{name}/", value, depth + 1))
