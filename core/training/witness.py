"""What has happened in the loop body that is open: enough to say, once it was left early, whether it counts and whether it left traces."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from batonpass.core.training.attached import Attached
from batonpass.core.training.rng import Streams, write_streams

_SAMPLED = 8
"""Tensors of a kind that are looked at: each costs a tenth of a microsecond in every step."""


class Witness:
    """Watches the attached optimizers and scalers. `begin` at the start of each body costs microseconds, whatever the model's size."""

    def __init__(self, attached: Attached) -> None:
        self._attached = attached
        self._watched: dict[int, Any] = {}
        self._steps = 0
        self._steps_before = 0
        self._streams: Streams | None = None
        self._buffers: list[torch.Tensor] = []
        self._parameters: list[torch.Tensor] = []
        self._before: tuple[Any, ...] = ()
        self._schedules: list[int] = []

    def watch(self) -> None:
        """Watch whatever is attached now; called when a loop is entered."""
        for optimizer in self._attached.optimizers():
            if id(optimizer) not in self._watched:
                optimizer.register_step_post_hook(lambda *_: self._count())
                self._watched[id(optimizer)] = optimizer
        for target in self._attached.stateful():
            if isinstance(target, torch.amp.GradScaler) and id(target) not in self._watched:
                target.step = _counted(target.step, self._count)  # type: ignore[method-assign]  # a skipped step runs no hook
                self._watched[id(target)] = target
        self._buffers = _some([b for m in self._attached.modules() for b in m.buffers()])
        trained = [
            p for o in self._attached.optimizers() for g in o.param_groups for p in g["params"] if p.requires_grad
        ]
        self._parameters = _spread(trained)

    def begin(self, streams: Streams) -> None:
        """A body is about to be handed out; `streams` is where the random streams stand."""
        self._streams = streams
        self._steps_before = self._steps
        self._before = self._traces()

    def begin_tail(self) -> None:
        """The part of an epoch after its last batch is about to run."""
        self._schedules = self._schedule_counts()

    @property
    def stepped(self) -> bool:
        """An attached optimizer has stepped since `begin`, or a scaler was asked to and skipped."""
        return self._steps != self._steps_before

    @property
    def left_traces(self) -> bool:
        """Gradients or buffers (batch statistics) have changed since `begin`."""
        grads = [p.grad for p in self._parameters if p.grad is not None]
        buffers, gradients = self._before
        now_buffers, now_gradients = self._traces()
        return bool(now_buffers != buffers or (now_gradients != gradients and any(bool(g.any()) for g in grads)))

    @property
    def has_schedule(self) -> bool:
        """A scheduler is attached."""
        return bool(self._schedule_counts())

    @property
    def schedule_moved(self) -> bool:
        """An attached scheduler has stepped since `begin_tail`."""
        return self._schedule_counts() != self._schedules

    def rewind_streams(self) -> None:
        """Put the random streams back to where they stood at `begin`."""
        if self._streams is not None:
            write_streams(self._streams)

    def drop_gradients(self) -> None:
        """Forget every gradient of the attached optimizers."""
        for optimizer in self._attached.optimizers():
            optimizer.zero_grad(set_to_none=True)

    def _count(self) -> None:
        self._steps += 1

    def _traces(self) -> tuple[Any, ...]:
        buffers = sum(b._version for b in self._buffers)  # noqa: SLF001  # torch's own count of changes in place
        gradients = [(id(g), g._version) for p in self._parameters if (g := p.grad) is not None]  # noqa: SLF001  # same
        return buffers, gradients

    def _schedule_counts(self) -> list[int]:
        schedulers = (getattr(s, "last_epoch", None) for s in self._attached.stateful())
        return [s for s in schedulers if isinstance(s, int)]


def _some(buffers: list[torch.Tensor]) -> list[torch.Tensor]:
    """Counters first: batch norm's running means change without torch counting it, its number of batches does not."""
    return _spread([b for b in buffers if b.numel() == 1]) + _spread([b for b in buffers if b.numel() != 1])


def _spread(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return tensors[:: max(1, len(tensors) // _SAMPLED)]


def _counted(function: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        count()
        return result

    return counted
