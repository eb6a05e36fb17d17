"""What a watch can say of itself in words: how far the training came, what of it is safe, what the newest checkpoint lacks."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core.amounts import size
from batonpass.core.model import CheckpointListing
from batonpass.sync.session_status import SessionStatus
from batonpass.sync.trainer_metrics.reading import MetricSource


@dataclass(frozen=True, slots=True, repr=False)
class WatchStatus:
    """A watched folder's state. Printed, it is a few sentences; every number is a field."""

    safety: SessionStatus
    """What is safe, in numbers."""
    epoch: float
    rows: int
    """Metric rows that this session has logged."""
    source: MetricSource
    """What metrics are read from."""

    @property
    def step(self) -> int:
        """How far the training came: by its metrics, else by its newest checkpoint."""
        return self.safety.step

    @property
    def durable(self) -> CheckpointListing | None:
        """The newest published checkpoint of this session."""
        return self.safety.durable

    @property
    def missing(self) -> tuple[str, ...]:
        """What the newest published checkpoint is known to lack for an exact resume, one sentence each."""
        return self.durable.missing if self.durable else ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> list[str]:
        lines = [f"step {self.step:,}" + (f", epoch {self.epoch:g}" if self.epoch else "")]
        if self.durable is None:
            lines.append("safe: nothing yet, this session has published no checkpoint")
        else:
            proof = "on the store, verified" if self.durable.proven else "handed over, its arrival is not proven"
            lines.append(f"safe: step {self.durable.step:,} ({size(self.durable.size_bytes)}), {proof}")
            lines += lacks(self.missing)
        if self.source.words:
            files = f"{self.source.files:,} file{'' if self.source.files == 1 else 's'}"
            lines.append(f"metrics: {self.rows:,} rows from {self.source.words} ({files})")
        elif self.rows:
            lines.append(f"metrics: {self.rows:,} rows")
        return lines


def lacks(missing: tuple[str, ...]) -> list[str]:
    """The lines that say what a checkpoint lacks; none where nothing is known to be missing.

    >>> lacks(("it holds tensors only",))
    ['why a resume from it is not called exact: it holds tensors only']
    """
    if len(missing) <= 1:
        return [f"why a resume from it is not called exact: {text}" for text in missing]
    return ["why a resume from it is not called exact:", *(f"  - {text}" for text in missing)]
