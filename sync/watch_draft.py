"""What the manifest of a watched checkpoint says of it: its step, where that is known from, and the metrics that belong to it."""

from __future__ import annotations

from datetime import UTC, datetime

from batonpass.core.model import CheckpointListing, Manifest
from batonpass.sync.foreign import Position, read_position
from batonpass.sync.joining import Joined
from batonpass.sync.settled import Candidate
from batonpass.sync.trainer_metrics.intake import Intake


class Drafts:
    """Gives each watched checkpoint its step: from its own name or content, else from the metrics, else counted."""

    def __init__(self, joined: Joined, intake: Intake) -> None:
        self._joined = joined
        self._intake = intake
        self._attempts: dict[int, int] = {}
        self._named_step: int | None = None

    def make(self, candidate: Candidate, *, after_step: int, durable: CheckpointListing | None) -> Manifest:
        """The manifest without its files. `after_step` is the step of the checkpoint before, `durable` the newest published one."""
        position = read_position(candidate.path)
        step, source = self._step_of(position, after_step)
        self._attempts[step] = self._attempts.get(step, 0) + 1
        joined, place = self._joined, self._intake.place
        record = joined.writer.record
        return Manifest(
            run_id=joined.info.run_id,
            session=joined.session,
            attempt=self._attempts[step],
            step=step,
            epoch=position.epoch or (place.epoch if source == "metrics" else 0.0),
            created_at=datetime.fromtimestamp(candidate.modified_ns / 1e9, UTC),
            files=(),
            term=joined.head.term,
            parent=durable.key if durable else ((record.resumed_from and record.resumed_from.checkpoint) or None),
            metric_rows=joined.log.rows if source == "counter" else self._intake.rows_until(step),
            trained_s=place.trained_s,
            metrics={name: value for name, value in dict(joined.log.newest).items() if abs(value) < float("inf")},
            data={"source": candidate.name, "step_from": source},
        )

    def _step_of(self, position: Position, after_step: int) -> tuple[int, str]:
        """An epoch in a name is a step only where nothing finer is known: one run, one unit."""
        place = self._intake.place
        only_epoch = position.step is not None and position.epoch == position.step
        if place.known and (only_epoch or (position.step is None and self._named_step is None)):
            return place.step, "metrics"
        if position.step is not None:
            self._named_step = position.step
        return (after_step + 1, "counter") if self._named_step is None else (self._named_step, "name")
