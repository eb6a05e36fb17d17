"""A run in every process of a training on several GPUs but the first: the same calls, and nothing behind them on the store. It follows
what the lead says (`leading`) and prints nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from batonpass.core.errors import RankLostError, UsageError
from batonpass.core.model import EndKind
from batonpass.core.training.attached import Attached
from batonpass.core.training.gathering import Parts, find_parts, make_whole
from batonpass.core.training.loop import TrainingLoop
from batonpass.core.training.own_state import capture_own, failed_own
from batonpass.core.training.restore import apply
from batonpass.core.training.sharing import receive_checkpoint
from batonpass.leading import SAVE
from batonpass.run import Run
from batonpass.status import RunStatus
from batonpass.verdicts import apart, heard, verdict

if TYPE_CHECKING:
    from batonpass.core.training.ranks import Channel
    from batonpass.core.training.read import Loaded
    from batonpass.sync.joining import Joined

T = TypeVar("T")


class Follower(Run):
    """See `Run`; what it inherits speaks of the training, what it overrides would speak to the store."""

    def __init__(self, channel: Channel) -> None:
        """Waits for the lead's `start`; raises what that raised."""
        facts = heard(json.loads(channel.message()))
        self._channel = channel
        self._facts = facts
        self._left = 1
        self._gone = self._closed = self._ready = self._safe = False
        self._attached = Attached()
        self._loop = TrainingLoop(self._attached, self, goal_steps=facts["goal_steps"], seed=facts["seed"])

    # What the run is

    @property
    def name(self) -> str:
        """As the lead's."""
        return str(self._facts["name"])

    @property
    def run_id(self) -> str:
        """As the lead's."""
        return str(self._facts["run_id"])

    @property
    def root_id(self) -> str:
        """As the lead's."""
        return str(self._facts["root_id"])

    @property
    def session(self) -> str:
        """The lead's session, which is that of all."""
        return str(self._facts["session"])

    @property
    def goal_steps(self) -> int | None:
        """As the lead's."""
        return self._loop.goal_steps

    @property
    def joined(self) -> Joined:
        """UsageError: only the lead has anything open on the store."""
        self._refuse("joined")

    # Training

    def attach(self, *, from_scratch: bool = False, **objects: Any) -> Self:  # noqa: ARG002  # the lead decides
        """Restore what the lead has found. Raises what that raised."""
        self._attached.add(**objects)
        head = self._channel.message()
        if not heard(json.loads(head)).get("nothing"):
            loaded = receive_checkpoint(self._channel, head, self._attached)
            self._agree(lambda: self._put_back(loaded))
        self._ready = True
        if self.step == 0 and not self._loop.restored:
            self._obey()  # the starting point
        return self

    def log(self, **values: Any) -> None:
        """The lead logs."""

    def save(self, *, wait: bool = False, timeout_s: float = 600.0) -> bool:  # noqa: ARG002  # the lead's time counts
        """With `wait` and between two bodies, take part; else the lead asks when it has been told."""
        self._must_be_attached("save")
        if not wait or not self._loop.at_boundary:
            return False
        self._obey()
        return self._same()

    def finish(self, *, done: bool = False, timeout_s: float = 600.0) -> bool:  # noqa: ARG002  # the lead's count
        """Take part in the last save and wait until the lead knows whether all is safe."""
        if self._closed:
            return self._safe
        self._loop.settle()
        if self._ready and self.step > 0 and self._loop.step_is_whole:
            self._obey()
        self._closed = True
        self._safe = self._same()
        self._channel.close()
        return self._safe

    def status(self) -> RunStatus:
        """UsageError: only the lead knows what is safe."""
        self._refuse("status()")

    # What the loop tells

    def on_enter(self) -> None:
        """The lead holds the run."""
        if self._closed:
            raise UsageError("this run is finished here", hint="call batonpass.start(...) again in every process")

    def on_boundary(self) -> None:
        """Listen when the lead speaks."""
        self._left -= 1
        if self._left <= 0:
            self._obey()

    def say(self, line: str) -> None:
        """The lead says it."""

    def restore_last(self) -> bool:
        """Never: see `Run.restore_last`."""
        return False

    def interrupted(self, kind: EndKind, detail: str) -> None:
        """Nothing to let go of."""

    def leave(self, kind: EndKind, detail: str) -> None:  # noqa: ARG002  # there is no session's file to write it to
        """Nothing to close."""
        self._closed = True

    # Inside

    def _must_be_attached(self, what: str) -> None:
        if not self._ready:
            raise UsageError(f"run.{what} before run.attach", hint="call run.attach(...) first, in every process")

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(
            f"run.{what} in process {self._channel.world.rank} of {self._channel.world.size}",
            hint="ask in the first process (rank 0): it alone speaks to the store",
        )

    def _obey(self) -> None:
        """Do what the lead says. Where it is gone, go on: the training's own collectives will tell."""
        if self._gone:
            return
        parts: Parts = []
        try:
            said = self._channel.number()
            self._left = 1 if said == SAVE else said
            if said == SAVE:
                parts = self._contribute()
        except RankLostError:
            self._gone = True
        try:
            make_whole(parts)
        except Exception as error:
            raise apart(error) from error

    def _contribute(self) -> Parts:
        """What this process has of its own goes to the lead; returns the tensors that all of them now make whole."""
        self._channel.answers(self._own())
        parts = json.loads(self._channel.message())
        try:
            return self._agree(lambda: find_parts(self._attached, parts)) if parts else []
        except RankLostError:
            raise
        except Exception:  # noqa: BLE001  # the lead says why there is no checkpoint
            return []

    def _put_back(self, loaded: Loaded) -> None:
        apply(loaded, self._attached)
        self._loop.restore(loaded)

    def _agree(self, act: Callable[[], T]) -> T:
        """Do it, tell the lead how it went, and raise the first error of all the processes: this one's own as it is."""
        error: Exception | None = None
        try:
            done = act()
        except Exception as own:  # noqa: BLE001  # it is raised below, when all have spoken
            error = own
        self._channel.answers(json.dumps(verdict(error, self._channel.world.rank)).encode())
        facts = json.loads(self._channel.message())
        if error is not None:
            raise error
        heard(facts)
        return done

    def _own(self) -> bytes:
        try:
            return capture_own(self._attached, self._loop.position(), self._loop.loader_state())
        except Exception as error:  # noqa: BLE001  # the lead shows it as the reason why the save failed
            return failed_own(error)

    def _same(self) -> bool:
        try:
            return not self._gone and bool(self._channel.number())
        except RankLostError:
            self._gone = True
            return False
