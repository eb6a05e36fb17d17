"""What the callbacks of all trainers share: one watched folder, the numbers logged into its run, and the way back. Never raises into a
training that has begun.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.callbacks.resuming import Exactness, find_resume
from batonpass.core.errors import BatonpassError
from batonpass.watching import FolderWatch, watch

if TYPE_CHECKING:
    from batonpass.sync.placing import Placed


class Mirroring:
    """Begins with the training, ends with it. What goes wrong after the beginning is said once and never raised."""

    def __init__(
        self,
        run: str,
        *,
        store: str | Path | None,
        account: str | None,
        keep: int,
        say: Callable[[str], None],
    ) -> None:
        self.say = say
        self.placed: Placed | None = None
        """The checkpoint that `resume_from` brought."""
        self._run = run
        self._store = store
        self._account = account
        self._keep = keep
        self._watch: FolderWatch | None = None
        self._trouble = ""
        self._logged: tuple[int, set[str]] = (-1, set())
        """The names that were logged at the newest step."""

    def resume_from(self, folder: str | Path, *, from_scratch: bool) -> Path | None:
        """The path of the newest durable checkpoint, brought into `folder`. Errors: as `find_resume`."""
        self.placed = find_resume(
            self._run, folder=Path(folder), store=self._store, from_scratch=from_scratch, say=self.say
        )
        return self.placed.path if self.placed else None

    def begin(self, folder: str | Path) -> None:
        """Watch the trainer's output folder. A wrong name or store raises here, before anything is trained: `batonpass.watch`."""
        if self._watch is None:
            self._watch = watch(
                folder,
                run=self._run,
                store=self._store,
                account=self._account,
                keep=self._keep,
                say=self.say,
                metrics=False,  # they come through `log`
            )

    def resumed(self, exactness: Exactness) -> None:
        """Say how exact the resume is, and note it in the session's file. Does nothing where nothing was brought."""
        if self.placed is None:
            return
        self.say(exactness.sentence(self.placed.record.step))
        if self._watch is not None:
            self.attempt(self._watch.continues, exactness.note(self.placed.record))

    def began_anew(self) -> None:
        """The training begins at step 0. Says so, aloud, where the run has been further."""
        before = self._watch.newest_step if self._watch is not None else None
        if before:
            self.say(
                f"batonpass: this training begins from zero, but {self._run} has a checkpoint of step {before:,}.\n"
                "  hint: stop it and hand the trainer what callback.resume_from() returns; or take another name for a new run"
            )

    def attempt(self, act: Callable[..., object], *arguments: Any) -> bool:
        """Do something that must not cost the training anything; what goes wrong is said once. True when it worked."""
        try:
            act(*arguments)
        except Exception as error:  # noqa: BLE001  # whatever it is, the training goes on; it is said
            said = f"batonpass: {type(error).__name__}: {error}; the training goes on"
            if said != self._trouble:
                self._trouble = said
                self.say(said)
            return False
        return True

    def log(self, step: int, values: Mapping[str, Any] | None, *, epoch: float | None = None) -> None:
        """Log those of `values` that are numbers, each once a step: trainers report the same ones again after a validation."""
        if self._watch is None or not values:
            return
        if self._logged[0] != step:
            self._logged = (step, set())
        known = self._logged[1]
        numbers = {str(name): value for name, value in values.items() if _is_number(value) and str(name) not in known}
        known.update(numbers)
        whole = epoch if epoch is not None and math.isfinite(epoch) else 0.0
        self._watch.log(int(step), numbers, epoch=float(whole))

    def end(self) -> None:
        """Send what is whole and say what is safe."""
        if self._watch is None:
            return
        ended, self._watch = self._watch, None
        try:
            safe = ended.stop()
            durable = ended.status().durable
        except (BatonpassError, OSError) as error:
            self.say(f"batonpass: the mirroring did not end cleanly: {error}")
            return
        what = f"step {durable.step:,} is the newest on the store" if durable else "no checkpoint was published"
        self.say(f"batonpass: {what}" + ("" if safe else "; not everything could be sent"))


def _is_number(value: Any) -> bool:
    """Numbers and what can become one; texts and lists are not metrics."""
    return isinstance(value, (int, float)) or (hasattr(value, "item") and getattr(value, "ndim", 1) == 0)
