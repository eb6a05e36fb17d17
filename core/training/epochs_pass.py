"""The iterator behind `for epoch in run.epochs(E)`: asking for the next epoch is what tells that the last one's tail has run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from batonpass.core.errors import UsageError
from batonpass.core.training.early import close_body, leave_tail

if TYPE_CHECKING:
    from batonpass.core.training.loop import TrainingLoop


class EpochsPass:
    """Yields the index of each epoch that remains, from 0. `len()` is how many may still come."""

    def __init__(self, loop: TrainingLoop, count: int) -> None:
        self._loop = loop
        self._count = count
        self.running = False
        """An epoch has been handed out and not ended."""
        self.batches_asked = False
        """`steps` was called in this epoch."""

    def __iter__(self) -> Self:
        return self

    def __len__(self) -> int:
        left = self._count - self._loop.now.epoch - (1 if self.running else 0)
        return 0 if self._loop.goal_reached and not self._tail_is_due else max(0, left)

    def __next__(self) -> int:
        """End the epoch that ran (a boundary), then begin the next."""
        loop = self._loop
        if loop.epochs_pass is not self:
            raise superseded("run.epochs")
        if self.running:
            self._end_epoch()
        now = loop.now
        if now.epoch >= self._count or (loop.goal_reached and not self._tail_is_due):
            loop.epochs_pass = None
            self._say_why()
            raise StopIteration
        if now.at == "tail" and not now.whole_epoch and not loop.goal_reached:
            now.at = "body"  # the goal that ended this epoch has been moved on
        if loop.streams_wait_for == "epoch":
            loop.put_streams_back()
        self.running, self.batches_asked = True, False
        return now.epoch

    @property
    def _tail_is_due(self) -> bool:
        return self._loop.now.at == "tail" and not self._loop.in_tail

    def _end_epoch(self) -> None:
        loop = self._loop
        self.running = False
        if loop.body_open:
            close_body(loop, "never")
        if loop.now.at == "tail":
            leave_tail(loop)
        else:
            if self.batches_asked:
                batches = f"{loop.now.batch} batches"
                loop.host.say(f"batonpass: epoch {loop.now.epoch + 1} was left after {batches}: the next one begins")
            loop.now.next_epoch("epoch")
        loop.host.on_boundary()

    def _say_why(self) -> None:
        loop = self._loop
        if loop.goal_reached:
            loop.host.say(f"batonpass: the goal of {loop.goal_steps:,} steps is reached")
        elif loop.now.epoch >= self._count:
            loop.host.say(f"batonpass: all {self._count} epochs are done, at step {loop.now.step:,}")


def superseded(what: str) -> UsageError:
    """The error for an older iterator that is asked to go on."""
    return UsageError(
        f"this {what} was replaced by a newer one", hint="go on with the newer loop, or run the whole cell again"
    )
