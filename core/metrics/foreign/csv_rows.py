"""Rows of a CSV log: Lightning's `metrics.csv`, Keras's CSVLogger, Ultralytics' `results.csv`, and others with a step in them.

Columns may be padded, cells may be empty, and a header may come again with more columns.
"""

from __future__ import annotations

import csv

from batonpass.core.metrics.foreign.point import Point, make_point, to_step, to_time, to_value
from batonpass.core.metrics.foreign.steps import StepCounter, find_step_name

COLUMNS_LIMIT = 10_000
_TIME_NAMES = ("wall_time", "timestamp", "_timestamp")


class CsvParser:
    """Turns the lines of one CSV file into points. `refused` says why it is no log of metrics, once its first line was seen."""

    def __init__(self, *, first_column: str | None = None) -> None:
        """With `first_column` only a file whose header begins with it is a log (for names that say little, as "training.log")."""
        self._first = first_column
        self._names: list[str] = []
        self._step_at = -1
        self._delimiter = ","
        self._counter = StepCounter()
        self.refused = ""

    def take(self, line: bytes) -> Point | None:
        """The point of a line; None for a header, an empty line, or one without a step."""
        text = line.decode("utf-8", "replace").strip("\r\n")
        if self.refused or not text.strip():
            return None
        if not self._names:
            self._begin(text.removeprefix("\ufeff"))
            return None
        cells = self._split(text)
        if self._step_at >= len(cells) or to_step(cells[self._step_at]) is None:
            if cells and all(cell and to_value(cell) is None for cell in cells):
                self._begin(text)  # a restarted trainer wrote its header again
            return None
        return self._point(cells)

    def _point(self, cells: list[str]) -> Point | None:
        named = list(zip(self._names, cells, strict=False))
        at = next((to_time(cell) for name, cell in named if name.lower() in _TIME_NAMES), None)
        values = [(n, c) for i, (n, c) in enumerate(named) if i != self._step_at and n.lower() not in _TIME_NAMES]
        point = make_point(cells[self._step_at], values, at=at)
        if point is None:
            return None
        if self._names[self._step_at].lower() == "epoch":
            return point._replace(epoch=to_value(cells[self._step_at]))
        return point._replace(step=self._counter.count(point.step, point.epoch))

    def _begin(self, header: str) -> None:
        self._delimiter = max(",;\t", key=header.count)
        names = self._split(header)
        step = find_step_name(names)
        if step is None or len(names) < 2 or (self._first and names[0].lower() != self._first):
            self.refused = self.refused or ("" if self._names else "no column says the step")
            return
        self._names, self._step_at = names[:COLUMNS_LIMIT], names.index(step)

    def _split(self, text: str) -> list[str]:
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=self._delimiter), [])]
        except csv.Error:
            return []  # a cell beyond csv's own limit, a NUL: no row
