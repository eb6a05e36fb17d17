"""Which column or key of a trainer's log says the step, and steps that are counted within an epoch."""

from __future__ import annotations

from collections.abc import Iterable

STEP_NAMES = ("step", "global_step", "trainer/global_step", "iteration", "iter", "_step", "epoch")
"""What may say the step, best first; `epoch` only where there is nothing finer."""


def find_step_name(names: Iterable[str]) -> str | None:
    """The one of `names` that says the step, as it is written there; None when none does.

    >>> find_step_name(["epoch", "Step", "loss"])
    'Step'
    """
    written = {name.strip().lower(): name for name in reversed(list(names))}
    return next((written[name] for name in STEP_NAMES if name in written), None)


class StepCounter:
    """Makes one growing count of steps that begin anew with every epoch; a count that grows anyway is left as it is."""

    def __init__(self) -> None:
        self._bases: dict[int, int] = {}  # epoch -> what is added to its steps
        self._raw = -1
        self._step = -1
        self._epoch = -1

    def count(self, raw: int, epoch: float | None) -> int:
        """The step of the run for the step that a row says. An epoch seen before keeps its count: the trainer went back."""
        if epoch is None or not 0 <= epoch < 1e9:
            return raw
        number = int(epoch)
        if number not in self._bases:
            begins_anew = raw < self._raw and number > self._epoch
            self._bases[number] = self._step + 1 - raw if begins_anew else self._bases.get(self._epoch, 0)
        self._raw, self._epoch = raw, number
        self._step = raw + self._bases[number]
        return self._step
