"""The run as the notebook sees it: attach, loop, log, save, finish. It composes; what things mean and move lies in core and sync."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from batonpass import endings
from batonpass.cadence import cadence_of
from batonpass.core.errors import HeldElsewhereError, UsageError
from batonpass.core.interval import Lives, lives_of
from batonpass.core.model import EndKind, Manifest
from batonpass.core.training.adopted import Adopted
from batonpass.core.training.attached import Attached
from batonpass.core.training.commit import written_tensors
from batonpass.core.training.loop import TrainingLoop
from batonpass.core.training.snapshot import Snapshot, Snapshotter
from batonpass.putting_back import note_findings, put_back
from batonpass.resuming import Found, find_checkpoint
from batonpass.saver import Saver, draft_manifest
from batonpass.status import RunStatus, describe
from batonpass.sync.active import ActiveSession
from batonpass.sync.joining import Joined
from batonpass.team import Alone, Team
from batonpass.words import farewell, welcome

FIRST_SAVE_S = 10.0
"""How long `attach` waits for the starting point of a new run to reach the store."""

OpenSession = Callable[[Callable[[], dict[str, Any]]], ActiveSession]
"""Joins the run as a new session; its argument says what the training is at, and is called on the service's threads."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `start` was told about saving."""

    seed: int | None
    checkpoint: str | None
    save_every_s: float | None
    say: Callable[[str], None]


class Run:
    """A run, open on this machine. Made by `batonpass.start`.

    Nothing in here raises into the loop because of saving, logging or syncing; trouble becomes a state that `status()` shows.
    """

    def __init__(self, open_session: OpenSession, options: Options) -> None:
        """`open_session` joins the run as a new session; it is called again when this kernel has to begin a new leg."""
        self._open_session = open_session
        self._options = options
        self._say = options.say
        self._attached = Attached()
        self._loop = TrainingLoop(self._attached, self, seed=options.seed)
        self._snapshotter = Snapshotter()
        self._team: Team = Alone()
        self._saver: Saver | None = None
        self._save_asked = False
        self._trained_s = 0.0
        self._began_at_step = 0
        self._lives = Lives()
        self._restored: Manifest | None = None
        self._mark: float | None = None
        self._closed = False
        self._safe = False
        self._active = open_session(self.facts)
        self._loop.goal_steps = self.goal_steps
        self._active.start()
        endings.watch_endings(self)

    # What the run is

    @property
    def name(self) -> str:
        """The run's name, as it was typed when the run was created."""
        return self._active.joined.info.name

    @property
    def run_id(self) -> str:
        """The run's id: eight characters."""
        return self._active.joined.info.run_id

    @property
    def root_id(self) -> str:
        """The id of the root folder on the store: twelve characters."""
        return self._active.joined.root.root_id

    @property
    def session(self) -> str:
        """The id of this session, the leg of the run on this machine."""
        return self._active.joined.session

    @property
    def goal_steps(self) -> int | None:
        """Optimizer steps in all; None when no goal was given."""
        return self._active.joined.goal_steps

    @property
    def joined(self) -> Joined:
        """What this session has open on this machine and on the store; for those who build on Batonpass."""
        return self._active.joined

    @property
    def step(self) -> int:
        """The last finished step; inside a body, the step that the body belongs to (1-based)."""
        return self._loop.step

    @property
    def epoch(self) -> int:
        """The pass over the data, from 0."""
        return self._loop.epoch

    @property
    def batch(self) -> int:
        """Batches of this epoch that are finished."""
        return self._loop.batch

    @property
    def at_boundary(self) -> bool:
        """A save asked for now would be taken now: no body is open and no epoch's tail is running."""
        return self._loop.at_boundary

    @property
    def completes_step(self) -> bool:
        """Inside a body of `steps(loader, accumulate=n)`: it is the last one of its step, a short last group of an epoch included."""
        return self._loop.body_open and self._loop.completes_step

    @property
    def state(self) -> dict[str, Any]:
        """A dict that is stored with every checkpoint: early-stopping counters, best values, anything JSON or tensors can hold."""
        return self._attached.state

    @property
    def body_open(self) -> bool:
        """A loop body is being executed, or was left without a next batch being asked for."""
        return self._loop.body_open

    @property
    def inside_loop(self) -> bool:
        """A loop body is being executed or a batch is being fetched, or that was left by an exception."""
        return self._loop.body_open or self._loop.fetching

    # Training

    def attach(self, *, from_scratch: bool = False, **objects: Any) -> Self:
        """Name what belongs to the training's state, and restore it if there is something to restore.

        `objects` are modules, optimizers, schedulers, scalers, averaged models (anything with `state_dict` and `load_state_dict`),
        dicts, and the `torch.Generator`s and `numpy.random.Generator`s that the training draws from.

        NothingToRestoreError when the run was trained before and nothing restores (`from_scratch=True` then begins a marked
        branch); CheckpointMismatchError when the checkpoint is of another model: then nothing has been changed.
        """
        if self._saver is not None:
            self._say(
                f"batonpass: attach again: what was trained since the last checkpoint is discarded (this is step {self.step:,})"
            )
            self._begin_new_leg()
        self._attached.add(**objects)
        if from_scratch:
            self._active.become_branch("from scratch")
            self._team.share(None)
            self._say("batonpass: from scratch, as you asked: step 0, kept as a branch beside the run")
        else:
            self._resume()
        self._make_saver()
        if self.step == 0 and not self._loop.restored:
            self._save_starting_point()
        return self

    def steps(self, loader: Iterable[Any], *, accumulate: int = 1) -> Any:
        """Iterate over the batches that are still to be trained on; the body of the loop is one optimizer step.

        Alone it goes on across epochs up to `goal_steps`; inside `for epoch in run.epochs(E)` it ends with the epoch.
        `accumulate=n`: a step is n bodies, and `completes_step` says in which of them to step. The iterator's `len()` is the number of batches that remain.
        """
        self._must_be_attached("steps")
        return self._loop.steps(loader, accumulate=accumulate)

    def epochs(self, count: int) -> Any:
        """Iterate over the epochs that are still to be trained, up to `count` or `goal_steps`, whichever comes first."""
        self._must_be_attached("epochs")
        return self._loop.epochs(count)

    def log(self, **values: Any) -> None:
        """Log numbers or 0-d tensors at this step. Never raises, never waits for a disk or a GPU."""
        self._active.joined.log.log(self._loop.step, self._loop.epoch_progress, values)

    def save(self, *, wait: bool = False, timeout_s: float = 600.0) -> bool:
        """Save at this boundary, or at the next one when a body or an epoch's tail is running.

        With `wait=True` returns whether the checkpoint reached the store within `timeout_s` seconds (handed over, on a mount).
        """
        self._must_be_attached("save")
        if not self._loop.at_boundary:
            self._save_asked = True
            if wait:
                self._say(
                    "batonpass: a save cannot be waited for inside a loop body; it is taken at the next step boundary"
                )
            return False
        if not wait and self._team.company is not None:
            self._save_asked = True  # the other processes need not be here
            return False
        return self._team.same(self._save_now(wait_s=timeout_s if wait else 0.0))

    def finish(self, *, done: bool = False, timeout_s: float = 600.0) -> bool:
        """Save, send, prove, say what is safe, and end this session; below the goal the run itself stays open unless `done`.

        Returns True when everything is on the store. Takes at most about `timeout_s` seconds.
        """
        if self._closed:
            if not self._safe:
                self._say(farewell(self._active.status(), safe=False, reached=False, goal_steps=self.goal_steps))
            return self._safe
        deadline = time.monotonic() + timeout_s
        self._loop.settle()
        if self._saver is not None and self.step > 0 and self._loop.step_is_whole:
            self._save_now(wait_s=timeout_s)
        goal = self.goal_steps
        reached = done or (goal is not None and self.step >= goal)
        left_s = max(deadline - time.monotonic(), 0.0)
        sent = self._close(EndKind.FINISHED if reached else EndKind.CLOSED, timeout_s=left_s)
        self._safe = self._team.same(sent and (self._saver is None or self._newest_is_on_the_store(self._saver)))
        self._team.part()
        self._say(farewell(self._active.status(), safe=self._safe, reached=reached, goal_steps=goal))
        return self._safe

    def status(self) -> RunStatus:
        """What is safe now: numbers, and a card when it is printed or shown by a notebook."""
        saver = self._saver
        return describe(
            self._active.status(),
            name=self.name,
            goal_steps=self.goal_steps,
            saving=saver.trouble if saver is not None else "",
            interval=saver.cadence.interval if saver is not None else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.leave(*endings.describe(error))

    # What the loop tells (core.training.loop_host.LoopHost)

    def on_enter(self) -> None:
        """The loop is entered: hold the run again if the stop button had let go of it."""
        if self._closed:
            raise UsageError("this run is finished here", hint="run the cell with batonpass.start(...) again")
        try:
            self._active.retake()
        except HeldElsewhereError:
            self._say("batonpass: not continuing here; nothing was lost")
            raise
        self._mark = time.monotonic()

    def on_boundary(self) -> None:
        """Nothing is half done: a step has just been finished, or an epoch begins."""
        now = time.monotonic()
        if self._mark is not None:
            self._trained_s += now - self._mark
        self._mark = now
        note_findings(self._loop, self._active, self._say)
        saver = self._saver
        if saver is not None and self._team.boundary(saver.take, wanted=self._save_asked or saver.due):
            self._save_asked = False

    def say(self, line: str) -> None:
        """Print a line to the user."""
        self._say(line)

    def restore_last(self) -> bool:
        """A body was cut between backward and step: begin a new leg from the last checkpoint. False when there is none, with several
        processes (not all of them may come by here), and on a branch: a new leg would hold the run, and continue its last checkpoint
        instead of the branch's.
        """
        record = self._active.joined.writer.record
        if (
            self._team.company is not None
            or self._saver is None
            or record.branch
            or (self._saver.committed is None and record.resumed_from is None)
        ):
            return False
        self._begin_new_leg()
        self._resume()
        self._make_saver()
        return True

    # How it ends (endings.Ending)

    def interrupted(self, kind: EndKind, detail: str) -> None:
        """A cell was left by an exception while a body was open."""
        self._active.pause(kind, detail)

    def leave(self, kind: EndKind, detail: str) -> None:
        """The process is about to end, or the `with` block was left by an exception."""
        if not self._closed:
            self._close(kind, detail=detail, timeout_s=20.0)

    # Inside

    def lead(self, team: Team) -> dict[str, Any]:
        """Other processes of this training follow; what they have to know of the run."""
        self._team = team
        names = {"name": self.name, "run_id": self.run_id, "root_id": self.root_id, "session": self.session}
        return {**names, "goal_steps": self.goal_steps, "seed": self._loop.now.seed}

    def facts(self) -> dict[str, Any]:
        """What the session's file says of the training now."""
        step = self._loop.finished_steps
        return {
            "step": step,
            "epoch": self._loop.epoch_progress,
            "trained_s": round(self._trained_s, 3),
            "steps_done": max(step - self._began_at_step, 0),
            "save_every_s": None if self._saver is None else round(self._saver.cadence.interval.every_s, 1),
        }

    def _save_now(self, *, wait_s: float) -> bool:
        saver = self._saver
        assert saver is not None
        if not wait_s:
            self._save_asked = not self._team.save(
                saver.take
            )  # a writer that is still busy takes it at the next boundary
            return not self._save_asked
        deadline = time.monotonic() + wait_s
        saver.wait(wait_s)
        if not self._team.save(saver.take):
            return False
        written = saver.wait(max(deadline - time.monotonic(), 0.0))
        sent = written and self._active.service.drain(max(deadline - time.monotonic(), 0.0))
        return sent and self._newest_is_on_the_store(saver)

    def _newest_is_on_the_store(self, saver: Saver) -> bool:
        """The last save was written, and what it wrote is what the session's file lists last."""
        made, listed = saver.committed, self._active.service.durable
        if saver.is_as_restored:
            return True
        if saver.trouble or made is None:
            return not saver.trouble and not saver.asked  # nothing was ever asked for
        return listed is not None and (listed.step, listed.attempt) == (made.step, made.attempt)

    def _save_starting_point(self) -> None:
        """Step 0 is a checkpoint too: a machine that dies in its first minute loses no initial weights, and saving is proven early."""
        if self._save_now(wait_s=FIRST_SAVE_S):
            self._say("batonpass: the starting point is saved and on the store: saving works")

    def _resume(self) -> None:
        with self._team.outcome():
            found = find_checkpoint(self._active, chosen=self._options.checkpoint, say=self._say)
            loaded = None if found is None else found.loaded
            if isinstance(loaded, Adopted) and self._team.company is not None:
                raise UsageError(
                    "an adopted file is read by one process alone",
                    hint="start and attach once in a single process, which saves it as a checkpoint of ours; then all of them go on from that",
                )
        if not isinstance(loaded, Adopted):
            self._team.share(loaded)
        if found is None:
            self._say("batonpass: step 0: this run has not been trained yet")
            return
        with self._team.applied():
            self._load(found)

    def _load(self, found: Found) -> None:
        report = put_back(found.loaded, self._attached, self._loop)
        self._trained_s, self._began_at_step = 0.0, self._loop.finished_steps
        self._lives = lives_of(found.before)
        self._restored = found.loaded.manifest if found.offer.listing is not None else None
        why = (*report.missing, *report.differences)
        record = replace(found.record, step=self._began_at_step, label=report.label, missing=why)
        self._active.joined.writer.change(resumed_from=record)
        self._active.service.wake("beat")
        self._say(welcome(record, found.loss, goal_steps=self.goal_steps))

    def _begin_new_leg(self) -> None:
        if self._saver is not None:
            self._saver.wait(60.0)
            self._saver.close()
            self._saver = None
        self._active.close(EndKind.CLOSED, detail="continued in the same kernel", timeout_s=60.0)
        self._active = self._open_session(self.facts)
        self._active.start()

    def _make_saver(self) -> None:
        def capture() -> Any:
            position, loader = self._loop.position(), self._loop.loader_state()
            return self._snapshotter.take(self._attached, position, loader, self._team.company)

        def draft() -> Any:
            return draft_manifest(
                self._active,
                step=self._loop.finished_steps,
                epoch=self._loop.epoch_progress,
                trained_s=self._trained_s,
                data=self._loop.position(),
            )

        def written(snapshot: Snapshot, manifest: Manifest) -> None:
            self._attached.observe(manifest.step, written_tensors(snapshot, manifest))

        cadence = cadence_of(self._active, self._options.save_every_s, self._lives)

        self._saver = Saver(
            self._active,
            capture,
            draft,
            cadence=cadence,
            say=self._say,
            restored=self._restored,
            on_written=written,
        )

    def _close(self, kind: EndKind, *, detail: str = "", timeout_s: float) -> bool:
        self._closed = True
        endings.forget(self)
        deadline, left_s = time.monotonic() + timeout_s, 0.0
        try:
            if self._saver is not None:
                self._saver.wait(timeout_s)
                self._saver.close()
            left_s = max(deadline - time.monotonic(), 0.0)
        finally:  # also when the wait was interrupted: no heartbeat and no lock outlives the training
            sent = self._active.close(kind, detail=detail, timeout_s=left_s)
            if self._active.ended:
                self._active.joined.store.close()
        return sent

    def _must_be_attached(self, what: str) -> None:
        if self._saver is None:
            raise UsageError(
                f"run.{what} before run.attach", hint="call run.attach(model=model, optimizer=optimizer) first"
            )
