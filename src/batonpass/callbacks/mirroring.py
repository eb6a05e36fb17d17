"""What the callbacks of all trainers share: one watched folder, and the numbers logged into its run. Never raises into a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from batonpass.core.errors import BatonpassError
from batonpass.watching import FolderWatch, watch


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
        self._run = run
        self._store = store
        self._account = account
        self._keep = keep
        self._say = say
        self._watch: FolderWatch | None = None
        self._trouble = ""

    def begin(self, folder: str | Path) -> None:
        """Watch the trainer's output folder. A wrong name or store raises here, before anything is trained: `batonpass.watch`."""
        if self._watch is None:
            self._watch = watch(
                folder, run=self._run, store=self._store, account=self._account, keep=self._keep, say=self._say
            )

    def log(self, step: int, values: Mapping[str, Any] | None, *, epoch: float | None = None) -> None:
        """Log those of `values` that are numbers."""
        if self._watch is None or not values:
            return
        numbers = {str(name): value for name, value in values.items() if _is_number(value)}
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
            self._say(f"batonpass: the mirroring did not end cleanly: {error}")
            return
        what = f"step {durable.step:,} is the newest on the store" if durable else "no checkpoint was published"
        self._say(f"batonpass: {what}" + ("" if safe else "; not everything could be sent"))


def _is_number(value: Any) -> bool:
    """Numbers and what can become one; texts and lists are not metrics."""
    return isinstance(value, (int, float)) or (hasattr(value, "item") and getattr(value, "ndim", 1) == 0)
