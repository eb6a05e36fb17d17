"""What the lead of a training on several GPUs says to the other processes, and when. Each point of a run where all of them come by has
one method here (`team.Team`) and its counterpart in `following`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from batonpass.core.errors import CheckpointError, RankLostError
from batonpass.team import Take
from batonpass.verdicts import apart, heard, verdict

if TYPE_CHECKING:
    from batonpass.core.training.company import Company
    from batonpass.core.training.ranks import Channel
    from batonpass.core.training.read import Loaded

SAVE = 0
"""The number that means "save here". Any other is how many boundaries there are until the lead speaks again."""
SPEAK_EVERY_S = 0.2
MOST_BOUNDARIES = 64


class Lead:
    """The first of several processes. It never raises because another one is gone: the training's own collectives will. See `Team`."""

    def __init__(self, channel: Channel, say: Callable[[str], None]) -> None:
        self._channel = channel
        self._say = say
        self._pace = Pace()
        self._left = 1
        self._owes = ""
        """What the others wait for in a save that is under way: "question", "parts" or nothing."""
        self._gone: RankLostError | None = None
        self._apart: RankLostError | None = None
        """Why some processes may wait in a collective that others have left."""
        self._told_so = False

    @property
    def company(self) -> Company:
        """See `Team`."""
        return self

    def boundary(self, take: Take, *, wanted: bool) -> bool:
        """See `Team`."""
        self._left -= 1
        if self._left > 0 or self._gone is not None:
            return False
        if wanted:
            return self.save(take)
        self._left = self._pace.boundaries()
        self._talk(lambda: self._channel.number(self._left))
        return False

    def save(self, take: Take) -> bool:
        """See `Team`. The others are always brought to the end of what was begun, also where nothing was taken. RankLostError where that
        is not possible: the training's next collective could meet what is left of this one.
        """
        self._left = self._pace.again()
        self._talk(lambda: self._channel.number(SAVE))
        if self._gone is not None:
            return False
        self._owes = "question"
        try:
            return take()
        finally:
            if self._owes == "question":
                self._talk(lambda: self._channel.answers(b"-"))
            if self._owes:
                self._talk(lambda: self._channel.message(b"[]"))
            self._owes = ""
            self._say_gone()
            if self._apart is not None:
                raise self._apart

    def others(self, position: dict[str, Any]) -> list[dict[str, Any]]:
        """See `company.Company`. CheckpointError where one of them is elsewhere, RankLostError where one is gone."""
        from batonpass.core.training.own_state import read_own, whereabouts  # noqa: PLC0415  # torch is there by now

        self._owes = "parts"
        answers = self._said(lambda: self._channel.answers(b"-"))
        owns = [read_own(body) for body in answers[1:]]
        for rank, (_, there) in enumerate(owns, start=1):
            if there != whereabouts(position):
                raise CheckpointError(
                    f"process {rank} is at step {there['step']}, this one at {position['step']}",
                    hint="call run.save, run.finish and the loops in every process, not only in the first",
                )
        return [own for own, _ in owns]

    @contextmanager
    def gather(self, parts: list[list[str]]) -> Iterator[None]:
        """See `company.Company`."""
        self._owes = ""
        self._said(lambda: self._channel.message(json.dumps(parts).encode()))
        self._all_agree(None)
        try:
            yield
        except Exception as error:
            self._apart = apart(error)
            raise

    @contextmanager
    def outcome(self) -> Iterator[None]:
        """See `Team`."""
        try:
            yield
        except Exception as error:
            self.tell(verdict(error))
            raise

    def tell(self, facts: dict[str, Any]) -> None:
        """JSON, to all."""
        with suppress(RankLostError):
            self._said(lambda: self._channel.message(json.dumps(facts).encode()))

    def share(self, loaded: Loaded | None) -> None:
        """See `Team`. RankLostError where one of them is gone: nothing has been trained yet."""
        from batonpass.core.training.sharing import send_checkpoint  # noqa: PLC0415  # torch is there by now

        if loaded is None:
            self.tell({"nothing": True})
        else:
            self._said(lambda: send_checkpoint(self._channel, loaded))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """See `Team`."""
        try:
            yield
        except Exception as error:
            with suppress(RankLostError):
                self._all_agree(error)
            raise
        self._all_agree(None)

    def same(self, value: bool) -> bool:  # see `Team`
        """See `Team`."""
        self._talk(lambda: self._channel.number(int(value)))
        return value

    def part(self) -> None:
        """See `Team`."""
        self._channel.close()

    def _all_agree(self, own: Exception | None) -> None:
        """Hear from each process how it went, and tell all of them the first error; raises it, if it is not this one's `own`."""
        verdicts = [json.loads(body) for body in self._said(lambda: self._channel.answers(b"-"))[1:]]
        failed = verdict(own) if own is not None else next((v for v in verdicts if "error" in v), verdict(None))
        self._said(lambda: self._channel.message(json.dumps(failed).encode()))
        if own is None:
            heard(failed)

    def _said(self, talk: Callable[[], Any]) -> Any:
        try:
            return talk()
        except RankLostError as error:
            self._gone = RankLostError(error.message, hint=error.hint)  # without the frames that `error` holds
            self._owes = ""
            raise

    def _talk(self, talk: Callable[[], Any]) -> None:
        if self._gone is None:
            with suppress(RankLostError):
                self._said(talk)
            self._say_gone()

    def _say_gone(self) -> None:
        if self._gone is not None and not self._told_so:
            self._told_so = True
            self._say(
                f"batonpass: NOTHING MORE IS SAVED in this session: {self._gone.message}; earlier checkpoints stay as they are\n"
                f"  what to do: {self._gone.hint}"
            )


class Pace:
    """How many boundaries pass between two words of the lead: fewer words where steps are short, and never long without one."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = monotonic()
        self._count = 1

    def boundaries(self) -> int:
        """From now until the next word. At most twice as many as before."""
        now = self._monotonic()
        step_s = max((now - self._last) / self._count, 1e-6)
        self._last = now
        self._count = max(1, min(2 * self._count, int(SPEAK_EVERY_S / step_s), MOST_BOUNDARIES))
        return self._count

    def again(self) -> int:
        """After a save, at the very next one."""
        self._last, self._count = self._monotonic(), 1
        return 1
