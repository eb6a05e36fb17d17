"""The metrics of one watch: read from the trainer's files and logged by callbacks, both into the session's log, neither ever raising."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from batonpass.core.errors import BatonpassError
from batonpass.sync.joining import Joined
from batonpass.sync.trainer_metrics.intake import Intake, Place
from batonpass.sync.trainer_metrics.reading import MetricSource, TrainerMetrics
from batonpass.sync.trainer_metrics.stored import read_before

COMPLAINTS_LIMIT = 40
"""So many different lines are said at most: a hostile folder does not fill the screen."""


class WatchedMetrics:
    """What flows from a watched folder into the run's log."""

    def __init__(self, folder: Path, joined: Joined, *, read_files: bool, say: Callable[[str], None]) -> None:
        """Without `read_files` only what `log` is given comes in."""
        self._say = say
        self._said: set[str] = set()
        self._log = joined.log
        self.intake = Intake(joined.log, joined.writer, say=self._say_once)
        self._files: TrainerMetrics | None = None
        if read_files:
            self._files = TrainerMetrics(
                folder,
                self.intake,
                read_before=lambda: read_before(joined.store, joined.folder, joined.session),
                say=self._say_once,
            )

    @property
    def place(self) -> Place:
        """How far the training has come, by its metrics."""
        return self.intake.place

    @property
    def source(self) -> MetricSource:
        """Where the metrics are read from."""
        return self._files.source if self._files else MetricSource()

    def look(self) -> bool:
        """Take in what is new in the files; True when there is more to be read at once. What fails is said once, and tried again."""
        if self._files is None:
            return False
        rows = self.place.rows
        try:
            behind = self._files.look()
            if self.place.rows != rows:
                self._log.flush(5.0)  # before the checkpoints of this look: what they count is on this disk
            return behind  # noqa: TRY300  # what follows are the failures
        except BatonpassError as error:
            self._say_once(
                f"what was logged before cannot be read, so metrics wait: {error.message}; it is tried again"
            )
        except Exception as error:  # noqa: BLE001  # whatever a file of another trainer holds, its checkpoints must be taken
            self._say_once(f"reading metrics: {type(error).__name__}: {error!s:.200}; it is tried again")
        return False

    def log(self, step: int, values: Mapping[str, Any], *, epoch: float = 0.0) -> None:
        """Log metrics that the caller has at hand. Never raises and never waits for a disk or a store."""
        self.intake.log(step, epoch, values)

    def facts(self) -> dict[str, Any]:
        """What the session's record says by the metrics; empty while there are none."""
        place = self.place
        if not place.known:
            return {}
        return {
            "step": place.step,
            "epoch": place.epoch,
            "steps_done": place.steps_done,
            "trained_s": place.trained_s,
        }

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < COMPLAINTS_LIMIT:
            self._said.add(text)
            self._say(f"batonpass: {text}")
