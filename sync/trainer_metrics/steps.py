"""The step of each row of one session, to find how far it had come when its training went back."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable


class Steps:
    """Row numbers and their steps, in the order of the rows; runs of one step are kept once."""

    def __init__(self) -> None:
        self._firsts = array("q")  # the first row of each run of equal steps
        self._steps = array("q")
        self.end = 0
        """One more than the last row."""

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, row: int, step: int) -> None:
        """The next row; numbers grow."""
        if not self._steps or self._steps[-1] != step:
            self._firsts.append(row)
            self._steps.append(step)
        self.end = row + 1

    def rows_before(self, step: int) -> int:
        """The number after the last row below `step`: from it on every row is of `step` or a later one. 0 when none is below."""
        return self._end_of_last(lambda each: each < step)

    def rows_until(self, step: int) -> int:
        """The number after the last row at `step` or below."""
        return self._end_of_last(lambda each: each <= step)

    def step_before(self, row: int) -> int | None:
        """The step of the last row below `row`; None when there is none."""
        place = bisect_right(self._firsts, row - 1) - 1
        return self._steps[place] if place >= 0 and row > 0 else None

    def _end_of_last(self, holds: Callable[[int], bool]) -> int:
        for place in range(len(self._steps) - 1, -1, -1):
            if holds(self._steps[place]):
                return self._firsts[place + 1] if place + 1 < len(self._steps) else self.end
        return 0
