"""The iterator behind `for batch in run.steps(loader)`.

It is an object, not a generator: asking for the next batch is what tells that a body has run to its end.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from batonpass.core.errors import UsageError
from batonpass.core.training.epochs_pass import superseded
from batonpass.core.training.position import remaining_bodies
from batonpass.core.training.ranks import here
from batonpass.core.training.rng import Streams, held_streams, read_streams, write_streams
from batonpass.core.training.seeds import derive, seed_streams

if TYPE_CHECKING:
    from batonpass.core.training.data import Source
    from batonpass.core.training.loop import TrainingLoop

_END = object()
_ONE_LINE_FIX = (
    "batonpass: to loop epoch by epoch, write `for epoch in run.epochs(E):` in place of `for epoch in range(E):`"
)


class StepsPass:
    """Yields batches. `len()` is how many bodies remain; TypeError where the loader cannot tell."""

    def __init__(self, loop: TrainingLoop, source: Source, accumulate: int, *, nested: bool) -> None:
        self._loop = loop
        self._source = source
        self._accumulate = accumulate
        self._nested = nested
        self._iterator: Iterator[Any] | None = None
        self._ahead: Any = _END
        self._looks_ahead = source.batches is None and (accumulate > 1 or source.ends_early)
        self._state_before: Any = None
        self._ended = False
        self._gave = False
        self._streams: Streams | None = None
        self._rank = [rank] if (rank := here().rank) else []
        self._second = nested and loop.epochs_pass is not None and loop.epochs_pass.batches_asked
        if loop.epochs_pass is not None:
            loop.epochs_pass.batches_asked = True

    def __iter__(self) -> Self:
        return self

    def __len__(self) -> int:
        loop, batches = self._loop, self._source.batches
        if self._ended:
            return 0
        if self._nested:
            if loop.now.at == "tail":
                return 0
            if batches is None:
                raise TypeError("this loader does not know its length")
            left = max(0, batches - loop.now.batch)
            if loop.goal_steps is None:
                return left - self._open
            goal = remaining_bodies(loop.now, batches, self._accumulate, loop.goal_steps)
            return min(left, goal) - self._open
        assert loop.goal_steps is not None
        if batches is None:
            if self._accumulate > 1:
                raise TypeError("this loader does not know its length")
            return max(0, loop.goal_steps - loop.now.step) - self._open
        return remaining_bodies(loop.now, batches, self._accumulate, loop.goal_steps) - self._open

    @property
    def _open(self) -> int:
        return 1 if self._loop.body_open else 0

    def __next__(self) -> Any:
        """Count the body that ran (and maybe its step: a boundary), then fetch the next batch."""
        loop = self._loop
        if self._ended:
            raise StopIteration
        if loop.steps_pass is not self:
            raise superseded("run.steps")
        loop.fetching = True  # stays so where an error or the stop button ends what follows
        if loop.body_open:
            loop.body_open = False
            self.count_body()
        try:
            batch = self._fetch()
        except StopIteration:
            loop.fetching = False
            raise
        loop.fetching = False
        loop.body_open = self._gave = True
        return batch

    def loader_state(self) -> Any:
        """The loader's own state, without the batch that was fetched ahead."""
        return self._state_before if self._looks_ahead else self._source.state()

    def count_body(self) -> None:
        """The open body is finished. A step is `accumulate` of them, or what is left at the end of an epoch."""
        now = self._loop.now
        now.batch += 1
        now.group += 1
        last = now.batch == self._source.batches or (self._looks_ahead and self._ahead is _END)
        if now.group == self._accumulate or last:
            self._finish_step(last=last)

    def _finish_step(self, *, last: bool) -> None:
        loop, now = self._loop, self._loop.now
        now.step += 1
        now.group = 0
        now.at = "body"
        if last and not self._nested:
            now.next_epoch("body")
            self._iterator = None
        elif self._nested and (last or loop.goal_reached):
            now.at, now.whole_epoch = "tail", last
        loop.host.on_boundary()

    def _fetch(self) -> Any:
        loop = self._loop
        if self._nested and loop.now.at == "tail":
            self._end_in_tail()
        for _ in range(2):
            if loop.goal_reached:
                self._end_at_goal()
            if self._iterator is None:
                self._open_iterator()
            batch = self._next_batch()
            if batch is not _END:
                return batch
            self._iterator = None
            if not loop.now.batch:
                break
            self._end_of_data()
        self._ended = True
        raise UsageError(
            "the loader gave no batch",
            hint="an iterator (generator) can be used only once, and drop_last=True needs a full batch: give a DataLoader or a list",
        )

    def _end_of_data(self) -> None:
        """The loader has told by ending that the epoch is over."""
        now = self._loop.now
        if now.group:
            self._finish_step(last=True)
        elif self._nested:
            now.at, now.whole_epoch = "tail", True
        else:
            now.next_epoch("body")
        if self._nested:
            self._end_in_tail()

    def _open_iterator(self) -> None:
        loop, now = self._loop, self._loop.now
        loop.check_source(self._source)
        with held_streams(derive(now.seed, "open", now.epoch)):
            self._iterator = self._source.open(now.epoch, now.batch)
        if self._looks_ahead:
            self._ahead = self._draw(now.batch)
            self._state_before = None

    def _next_batch(self) -> Any:
        loop = self._loop
        if self._looks_ahead:
            batch = self._ahead
            if batch is not _END:
                self._state_before = copy.deepcopy(self._source.state())
                self._ahead = self._draw(loop.now.batch + 1)
        else:
            batch = self._draw(loop.now.batch)
        if batch is not _END:
            self._hand_out()
        return batch

    def _draw(self, number: int) -> Any:
        """The next item of the loader. What it draws at random is a function of (seed, epoch, number), and training's streams stand still."""
        assert self._iterator is not None
        if not self._source.draws:
            return next(self._iterator, _END)
        now = self._loop.now
        self._streams = streams = read_streams()
        seed_streams(derive(now.seed, "fetch", now.epoch, number, *self._rank))
        try:
            return next(self._iterator, _END)
        finally:
            write_streams(streams, cuda=False)

    def _hand_out(self) -> None:
        loop, now = self._loop, self._loop.now
        streams, self._streams = self._streams, None
        loop.check_drawn()
        moved = loop.put_streams_back()
        loop.witness.begin(read_streams() if moved or streams is None else streams)
        left = None if self._source.batches is None else self._source.batches - now.batch
        last = left == 1 or (self._looks_ahead and self._ahead is _END)
        loop.completes_step = now.group + 1 == self._accumulate or last

    def _end_in_tail(self) -> None:
        loop = self._loop
        self._ended = True
        if self._second:
            loop.host.say(
                "batonpass: this epoch's batches are done; iterate over validation data itself: `for batch in val_loader`"
            )
        elif not self._gave and loop.streams_wait_for == "tail":
            loop.host.say(
                f"batonpass: the batches of epoch {loop.now.epoch + 1} were finished before the stop: only what follows them runs"
            )
        if loop.streams_wait_for == "tail":
            loop.put_streams_back()
        loop.in_tail = True
        loop.witness.begin_tail()
        raise StopIteration

    def _end_at_goal(self) -> None:
        loop = self._loop
        self._ended = True
        if not self._gave and loop.ends_said < 2:
            loop.host.say(f"batonpass: the goal of {loop.goal_steps:,} steps is reached: nothing is left to train")
            if loop.ends_said:
                loop.host.say(_ONE_LINE_FIX)
        loop.ends_said += 1
        raise StopIteration
