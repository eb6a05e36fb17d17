"""What a session looks for beside its own work: runs of the same name that were begun at the same moment, and copies that a mounted
Drive made because two machines wrote one file. It only looks and says; nothing is changed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.sync.joining import Joined
from batonpass.sync.mounts import conflicts
from batonpass.sync.twins import LOOKS_S, other_runs


class Lookout:
    """Of one session. `look` is called at every tick by one thread; any thread may read what was seen."""

    def __init__(
        self, joined: Joined, say: Callable[[str], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._joined = joined
        self._say = say
        self._monotonic = monotonic
        self.began_at = monotonic()
        self._looks = list(LOOKS_S) if joined.created else []
        self.twins: tuple[str, ...] = ()
        """Ids of runs of the same name that somebody began at the same time as this session began its own."""
        self.conflicts: tuple[str, ...] = ()
        """Names of conflict copies in the run's folder on a mounted Drive."""

    def look(self) -> None:
        """What is due now. StoreError as it comes."""
        self._look_for_conflicts()
        if self._looks and self._monotonic() - self.began_at >= self._looks[0]:
            self._look_for_twins()
            self._looks = self._looks[1:]  # one that the store refused is made again

    def look_last(self) -> None:
        """Once more at a creator's end. A store that does not answer is said elsewhere."""
        if self._joined.created:
            with contextlib.suppress(BatonpassError):
                self._look_for_twins()

    def _look_for_twins(self) -> None:
        joined = self._joined
        found = other_runs(joined.store, joined.folder)
        if found and not self.twins:
            self._say(
                f"batonpass: another run named {joined.info.name!r} exists beside this one ({joined.info.run_id}): {', '.join(found)}. "
                "Nothing is lost: both are kept. Say which one a start should continue: run_id='...'"
            )
        self.twins = found

    def _look_for_conflicts(self) -> None:
        store = self._joined.store
        if store.properties.compare_and_swap:
            return
        joined, root = (
            self._joined,
            Path(store.url),
        )  # only a mounted folder has no compare-and-swap, and its url is its path
        run = root / joined.folder
        sessions = (root / naming.session_file(joined.folder, joined.session)).parent
        found: list[str] = []
        for folder in (run, sessions):
            with contextlib.suppress(OSError):  # a mount that is gone is said by the call that needs it
                found += conflicts(folder)
        if found and not self.conflicts:
            self._say(
                f"batonpass: the mounted Drive made copies because two machines wrote one file: {', '.join(found[:5])}. "
                "Look which machine should hold this run; `batonpass doctor` lists every copy"
            )
        self.conflicts = tuple(found)
