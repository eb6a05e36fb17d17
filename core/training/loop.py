"""The training loop's bookkeeping: what is a step, where its boundary lies, what a body that was left early means.

The iterators that a user sees are `steps_pass` and `epochs_pass`; the data comes from a `data.Source`; what happened inside a body is told by `witness`.
"""

from __future__ import annotations

from typing import Any

from batonpass.core.errors import UsageError
from batonpass.core.training.attached import Attached
from batonpass.core.training.data import Source, open_source
from batonpass.core.training.early import close_body, leave_tail, reopen_tail
from batonpass.core.training.epochs_pass import EpochsPass
from batonpass.core.training.loop_host import LoopHost
from batonpass.core.training.position import Position
from batonpass.core.training.proof import OTHER_DRAW, data_doubts, data_verdict, next_digest
from batonpass.core.training.read import Loaded
from batonpass.core.training.restore import loader_state
from batonpass.core.training.rng import restore_rng
from batonpass.core.training.seeds import draw_seed
from batonpass.core.training.split import count_anew, warning
from batonpass.core.training.steps_pass import StepsPass
from batonpass.core.training.witness import Witness

_SOURCES_KEPT = 4


class TrainingLoop:
    """Counts steps and epochs over `steps` and `epochs`, and knows at any boundary the position that continues exactly from there.

    `seed` decides the order of the data and every sample's augmentation; without one it is drawn once and stored with the position.
    """

    def __init__(
        self, attached: Attached, host: LoopHost, *, goal_steps: int | None = None, seed: int | None = None
    ) -> None:
        self.attached = attached
        self.host = host
        self.goal_steps = goal_steps
        self.witness = Witness(attached)
        self.now = Position(draw_seed() if seed is None else seed)
        self.body_open = False
        self.fetching = False
        """A batch is being fetched, or its fetch was left by an exception."""
        self.in_tail = False
        self.completes_step = False
        self.doubts: list[str] = []
        """What was found after the restore that makes the resume PARTIAL: other data, a body that left traces."""
        self.epochs_pass: EpochsPass | None = None
        self.steps_pass: StepsPass | None = None
        self.ends_said = 0
        """How often a flat loop has ended at the goal, or began there."""
        self._sources: list[tuple[Any, Source]] = []
        self._source: Source | None = None
        self._fed_by: StepsPass | None = None  # it knows what it fetched ahead
        self._fingerprint: dict[str, Any] = {}
        self._restored: dict[str, Any] | None = None
        self._loader_state: Any = None
        self._last: str | None = None
        self._streams: Any = None
        self.restored = False
        """The loop continues from a checkpoint."""
        self.data_seen: str | None = None
        """After a restore, once the data was compared: "same", "other", or "" where it cannot be told in advance."""

    # What a user may ask

    @property
    def step(self) -> int:
        """The last finished step; inside a body, the step that the body belongs to (1-based)."""
        return self.now.step + (1 if self.body_open else 0)

    @property
    def finished_steps(self) -> int:
        """Steps that are finished."""
        return self.now.step

    @property
    def epoch(self) -> int:
        """The pass over the data, from 0."""
        return self.now.epoch

    @property
    def epoch_progress(self) -> float:
        """The epoch with the finished part of it, for metrics; whole where the length of an epoch is not known."""
        batches = self._source.batches if self._source is not None else (self._restored or {}).get("batches")
        return self.now.epoch + (self.now.batch / batches if batches else 0.0)

    @property
    def batch(self) -> int:
        """Batches of this epoch that are finished."""
        return self.now.batch

    @property
    def at_boundary(self) -> bool:
        """A snapshot taken now continues exactly: no body is open, no step half done, no epoch's tail running."""
        return not self.body_open and not self.in_tail and self.now.group == 0

    @property
    def step_is_whole(self) -> bool:
        """No gradients wait for the rest of an accumulated step: a snapshot would lose them."""
        return not self.body_open and self.now.group == 0

    # Loops

    def steps(self, loader: Any, *, accumulate: int = 1) -> StepsPass:
        """The batches that remain: of this epoch inside `epochs`, else up to `goal_steps`. UsageError when neither sets an end."""
        if type(accumulate) is not int or accumulate < 1:
            raise UsageError(
                f"accumulate={accumulate!r}", hint="give the number of batches per optimizer step, 1 or more"
            )
        nested = self.epochs_pass is not None and self.epochs_pass.running
        if not nested:
            self._enter()
            if self.goal_steps is None:
                raise UsageError(
                    "run.steps has no end",
                    hint="give batonpass.start(..., goal_steps=N), or write `for epoch in run.epochs(E):` round it",
                )
            leave_tail(self)
        elif self.body_open:
            close_body(self, "again")
        source = self._source_of(loader)
        self._restored = count_anew(self, self._restored, source)
        self.steps_pass = self._fed_by = StepsPass(self, source, accumulate, nested=nested)
        return self.steps_pass

    def epochs(self, count: int) -> EpochsPass:
        """The epochs that remain up to `count`, the one that was begun first."""
        if type(count) is not int or count < 0:
            raise UsageError(f"run.epochs({count!r})", hint="give the number of epochs in all, as run.epochs(10)")
        self._enter()
        if self.in_tail:
            reopen_tail(self)
        self.epochs_pass = EpochsPass(self, count)
        return self.epochs_pass

    def settle(self) -> None:
        """Account for a body or a tail that was left early, because the training ends here."""
        if self.body_open:
            close_body(self, "later")
        if self.in_tail and (self.witness.schedule_moved or not self.witness.has_schedule):
            leave_tail(self)
        self.epochs_pass = self.steps_pass = None

    # Position

    def position(self) -> dict[str, Any]:
        """For `Manifest.data`: where to continue, and what to recognise the data by."""
        known = self._restored or {}
        found = {**known, **self.now.to_json(), "doubts": list(self.doubts)}
        if self._source is not None:
            found |= {
                "batches": self._source.batches,
                "batch_size": self._source.batch_size,
                "fingerprint": self._fingerprint,
                "next": next_digest(self.now, self._source),
                "last": self._source.drawn(self.now.batch - 1),
            }
        return found

    def loader_state(self) -> Any:
        """What the loader itself wants stored beside the position, or None."""
        return self._fed_by.loader_state() if self._fed_by is not None and self.now.batch else None

    def restore(self, loaded: Loaded) -> None:
        """Continue from a checkpoint whose objects have been restored. The random streams are put back once more right before the
        first body (or epoch, or tail) runs, because what lies between may draw from them.
        """
        data = loaded.manifest.data
        seed = self.now.seed
        self.now = Position.from_json(data)
        self._restored = data
        self._loader_state = loader_state(loaded)
        rng = loaded.trainer.get("rng")
        self._streams = None if rng is None else loaded.decode(rng, copies=True)
        self.restored, self.data_seen = True, None
        self.body_open = self.in_tail = False
        self.doubts = [str(d) for d in data.get("doubts", [])]
        self._source = self._fed_by = None
        self.witness.drop_gradients()  # those of a body that was cut belong to no step
        if seed != self.now.seed:
            self._sources.clear()

    def begin_at(self, *, step: int, epoch: int) -> None:
        """Go on from another program's checkpoint: at the first batch of an epoch, in an order of our own."""
        self.now = Position(self.now.seed, step, epoch)
        self.restored = True

    # For the passes

    @property
    def goal_reached(self) -> bool:
        """There is a goal and it is reached."""
        return self.goal_steps is not None and self.now.step >= self.goal_steps

    def put_streams_back(self) -> bool:
        """Right before training code runs for the first time after a restore. True when it did."""
        streams, self._streams = self._streams, None
        if streams is not None:
            restore_rng(streams)
        return streams is not None

    @property
    def streams_wait_for(self) -> str:
        """Where the restored streams are to be put back: "body", "epoch", "tail"; "" when they are not waiting."""
        return self.now.at if self._streams is not None else ""

    def check_source(self, source: Source) -> None:
        """After a restore, see whether this is the data it was and the next batch the same."""
        if source is not self._source:
            self._source, self._fingerprint = source, source.fingerprint()
        known, self._restored = self._restored, None
        if known is None:
            return
        source.load_state(self._loader_state)
        self._loader_state = None
        doubts = data_doubts(known, self.now, source, self._fingerprint)
        self.data_seen = data_verdict(known, self.now, source, doubts)
        self._last = known.get("last") if self.now.batch else None
        for doubt in doubts:
            self.doubt(doubt)
        if source.caveat and self.now.batch:
            self.doubt(source.caveat)

    def check_drawn(self) -> None:
        """The first batch after a restore is here: see whether a sampler of the user's own has drawn the same batches before it."""
        expected, self._last = self._last, None
        drawn = self._source.drawn(self.now.batch - 1) if self._source is not None and expected is not None else None
        if drawn is None or self.data_seen == "other":
            return
        self.data_seen = "same" if drawn == expected else "other"
        if drawn != expected:
            self.doubt(OTHER_DRAW)

    def doubt(self, reason: str) -> None:
        """Something is not exact: say it and keep it for the label."""
        if reason not in self.doubts:
            self.doubts.append(reason)
        self.host.say(f"batonpass: PARTIAL: {reason}")

    # Inside

    def _enter(self) -> None:
        self.host.on_enter()
        self.witness.watch()
        if self.body_open:
            close_body(self, "again")
        self.epochs_pass = self.steps_pass = None

    def _source_of(self, loader: Any) -> Source:
        for known, source in self._sources:
            if known is loader:
                return source
        source = open_source(loader, self.now.seed)
        if line := warning(loader):
            self.host.say(line)
        self._sources = [*self._sources[1 - _SOURCES_KEPT :], (loader, source)]
        return source
