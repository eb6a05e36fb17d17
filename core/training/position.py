"""Where the training stands in its steps and its data: plain numbers, as the manifest stores them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from batonpass.core.errors import FormatError

At = Literal["body", "epoch", "tail"]
"""What comes next: a body, the start of an epoch (what stands before the inner loop included), or an epoch's tail."""


@dataclass(slots=True)
class Position:
    """`epoch` counts from 0; `step`, `batch` are how many are finished, all and of this epoch; `group` finished bodies of an unfinished step."""

    seed: int
    step: int = 0
    epoch: int = 0
    batch: int = 0
    group: int = 0
    at: At = "epoch"
    whole_epoch: bool = False
    """With `at="tail"`: the epoch's last batch is done. False when the goal ended it earlier."""

    def to_json(self) -> dict[str, Any]:
        """For `Manifest.data`; taken only where `group` is 0."""
        return {
            "format": 1,
            "seed": self.seed,
            "step": self.step,
            "epoch": self.epoch,
            "batch": self.batch,
            "at": self.at,
            "whole_epoch": self.whole_epoch,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """FormatError when it is no position."""
        numbers = [data.get(k) for k in ("seed", "step", "epoch", "batch")]
        at = data.get("at")
        if not all(type(n) is int and n >= 0 for n in numbers) or at not in {"body", "epoch", "tail"}:
            raise FormatError("the position in the data cannot be read", hint="the checkpoint may be damaged or edited")
        seed, step, epoch, batch = (int(n) for n in numbers if n is not None)
        return cls(seed, step, epoch, batch, 0, at, bool(data.get("whole_epoch")))

    def next_epoch(self, at: At) -> None:
        """Move to the start of the next epoch."""
        self.epoch, self.batch, self.group, self.at, self.whole_epoch = self.epoch + 1, 0, 0, at, False

    def copy(self) -> Self:
        """Another one with the same numbers."""
        return replace(self)


def remaining_bodies(position: Position, batches: int, accumulate: int, goal_steps: int) -> int:
    """Bodies until `goal_steps` when every epoch has `batches` of them and a step is `accumulate` (a short last group counts).

    >>> remaining_bodies(Position(0, step=3, batch=3), batches=5, accumulate=1, goal_steps=10)
    7
    >>> remaining_bodies(Position(0), batches=5, accumulate=2, goal_steps=4)
    7
    """
    steps = goal_steps - position.step
    if steps <= 0 or batches <= 0:
        return 0
    left = batches - position.batch
    steps_left = -(-(left + position.group) // accumulate)
    if steps <= steps_left:
        return min(steps * accumulate - position.group, left)
    steps -= steps_left
    epochs, rest = divmod(steps, -(-batches // accumulate))
    return left + epochs * batches + min(rest * accumulate, batches)
