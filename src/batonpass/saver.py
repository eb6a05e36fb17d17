"""Decides when to save, takes the snapshot at a step boundary, and commits it in a thread of its own. Never raises into the loop."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batonpass.core.errors import BatonpassError
from batonpass.core.model import Manifest
from batonpass.sync.background import step_back

if TYPE_CHECKING:
    from batonpass.cadence import Cadence
    from batonpass.core.training.snapshot import Snapshot
    from batonpass.sync.active import ActiveSession


class Saver:
    """Takes and commits the checkpoints of one session.

    `capture` copies the state (None while the last copy is still held), `draft` returns the manifest of the present boundary without
    files; both run on the training thread.
    """

    def __init__(
        self,
        active: ActiveSession,
        capture: Callable[[], Snapshot | None],
        draft: Callable[[], Manifest],
        *,
        cadence: Cadence,
        say: Callable[[str], None],
        restored: Manifest | None = None,
        on_written: Callable[[Snapshot, Manifest], None] = lambda _snapshot, _manifest: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`restored` is the manifest of the checkpoint on the store that the session resumed from: what equals it is not sent again.
        `on_written` is told of each checkpoint that is whole on this disk, on the writer's thread.
        """
        self._active = active
        self._restored = restored
        self._on_written = on_written
        self.is_as_restored = False
        """The last save came out as the very checkpoint that was restored, which is on the store."""
        self._capture = capture
        self._draft = draft
        self.cadence = cadence
        self._say = say
        self._monotonic = monotonic
        self._last: Manifest | None = None
        self._queue: queue.SimpleQueue[tuple[Snapshot, Manifest] | None] = queue.SimpleQueue()
        self._done = threading.Condition()
        self._open = 0
        self.asked = False
        """A save was taken, or tried."""
        self.trouble = ""
        self.committed: Manifest | None = None
        """The newest checkpoint that is whole on this disk."""
        threading.Thread(target=self._work, name="batonpass-writer", daemon=True).start()

    @property
    def due(self) -> bool:
        """Time for the next save."""
        return self.cadence.due

    def take(self) -> bool:
        """Copy the state now, on the training thread; False when the writer still holds the last copy or the copy failed."""
        started = self._monotonic()
        try:
            self.asked = True
            manifest = self._next(self._draft())
            if manifest is None:
                self.cadence.taken(None)
                return True
            snapshot = self._capture()
            if snapshot is None:
                self.cadence.refused()
                return False
        except Exception as error:  # noqa: BLE001  # saving must never break the training: shown as a state and tried again
            self._failed(error)
            self.cadence.refused()
            return False
        self._last = manifest
        with self._done:
            self._open += 1
        self._queue.put((snapshot, manifest))
        if snapshot.warning:
            self._say(f"batonpass: {snapshot.warning}")
        if snapshot.live:  # too big for a second copy: it is written from the live tensors while the training waits
            self._say(
                f"batonpass: saving {snapshot.size_bytes / 1e9:.1f} GB straight from memory; training waits until it is written"
            )
            try:
                self.wait(None)
            except BaseException:  # the stop button: what is not read by now may be of a later step
                snapshot.torn = True
                raise
        self.cadence.taken(self._monotonic() - started)
        return True

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until everything taken is on this disk; None waits as long as it takes."""
        with self._done:
            return self._done.wait_for(lambda: self._open == 0, timeout_s)

    def close(self) -> None:
        """End the writer's thread after what it is doing."""
        self._queue.put(None)

    def _next(self, draft: Manifest) -> Manifest | None:
        """Number the attempt; None when nothing has happened since the last one, and that one was written."""
        last = self._last
        if last is None or last.step != draft.step:
            return draft
        if not self.trouble and last.metric_rows == draft.metric_rows and last.data == draft.data:
            return None
        return replace(draft, attempt=last.attempt + 1)

    def _work(self) -> None:
        step_back()
        while (work := self._queue.get()) is not None:
            self._commit(*work)

    def _commit(self, snapshot: Snapshot, manifest: Manifest) -> None:
        from batonpass.core.training.commit import write_checkpoint  # noqa: PLC0415  # torch is there by now

        try:
            joined = self._active.joined
            joined.log.flush(30.0)
            started_s = time.thread_time()
            directory, whole = write_checkpoint(snapshot, joined.local.checkpoints, manifest)
            self.cadence.committed(time.thread_time() - started_s)
            self._on_written(snapshot, whole)
        except Exception as error:  # noqa: BLE001  # as in take()
            self._failed(error)
        else:
            self.trouble = ""
            self.is_as_restored = _same_content(whole, self._restored)
            if self.is_as_restored:  # another of the same would only push an older one out of the few that are kept
                shutil.rmtree(directory, ignore_errors=True)
            else:
                self.committed = whole
                self._active.enqueue(directory, whole)
        finally:
            snapshot.release()
            with self._done:
                self._open -= 1
                self._done.notify_all()

    def _failed(self, error: Exception) -> None:
        message = error.message if isinstance(error, BatonpassError) else f"{type(error).__name__}: {error}"
        if message != self.trouble:
            self._say(
                f"batonpass: this checkpoint could not be saved: {message}; training goes on and the next save tries again"
            )
        self.trouble = message


def _same_content(made: Manifest, other: Manifest | None) -> bool:
    """Nothing was trained, logged or changed since."""
    if other is None or made.step != other.step or made.metric_rows:
        return False
    return {(f.name, f.sha256) for f in made.files} == {(f.name, f.sha256) for f in other.files}


def draft_manifest(
    active: ActiveSession,
    *,
    step: int,
    epoch: float,
    trained_s: float,
    data: dict[str, Any],
) -> Manifest:
    """The manifest of this boundary, still without files."""
    joined = active.joined
    record = joined.writer.record
    newest = active.service.durable
    parent = newest.key if newest else (record.resumed_from.checkpoint if record.resumed_from else None)
    finite = {name: value for name, value in dict(joined.log.newest).items() if abs(value) < float("inf")}
    return Manifest(
        run_id=joined.info.run_id,
        session=joined.session,
        attempt=1,
        step=step,
        epoch=epoch,
        created_at=datetime.now(UTC),
        files=(),
        term=joined.head.term,
        parent=parent,
        metric_rows=joined.log.rows,
        trained_s=trained_s,
        metrics=finite,
        data=data,
    )
