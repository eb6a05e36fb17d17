"""What a session looks for beside its own work: what others began at the same moment (a run of the same name, or this very run, with a
head of their own), and copies that a mounted Drive made because two machines wrote one file. It looks and says, and changes nothing,
but that a session which ends in a head that does not count is named in the one that does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.sync.handover import give_way
from batonpass.sync.joining import Joined
from batonpass.sync.mounts import conflicts
from batonpass.sync.reading import read_head
from batonpass.sync.twins import LOOKS_S, other_runs

YOUNG_S = 3600.0
"""A run that was begun longer ago has no twin that nobody has seen: lists lag for minutes."""


class Lookout:
    """Of one session. `look` is called at every tick by one thread; any thread may read what was seen."""

    def __init__(
        self, joined: Joined, say: Callable[[str], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._joined = joined
        self._say = say
        self._monotonic = monotonic
        self.began_at = monotonic()
        self._looks = list(LOOKS_S)
        self.twins: tuple[str, ...] = ()
        """Ids of runs of the same name that somebody began at the same time as this session began its own."""
        self.conflicts: tuple[str, ...] = ()
        """Names of conflict copies in the run's folder on a mounted Drive."""

    def look(self) -> None:
        """What is due now. StoreError as it comes."""
        self._look_for_conflicts()
        if self._looks and self._monotonic() - self.began_at >= self._looks[0]:
            self._learn_which_counts()
            self._look_for_twins()
            self._looks = self._looks[1:]  # one that the store refused is made again

    def look_last(self) -> None:
        """Once more at the end, after this session let go of the run. A store that does not answer is said elsewhere."""
        with contextlib.suppress(BatonpassError):
            if self._learn_which_counts():
                self._be_named()
            self._look_for_twins()

    def _look_for_twins(self) -> None:
        joined = self._joined
        if not joined.created:
            return
        found = other_runs(joined.store, joined.folder)
        if found and not self.twins:
            self._say(
                f"batonpass: another run named {joined.info.name!r} exists beside this one ({joined.info.run_id}): {', '.join(found)}. "
                "Nothing is lost: both are kept. Say which one a start should continue: run_id='...'"
            )
        self.twins = found

    def _learn_which_counts(self) -> bool:
        """Of two heads that were made in one folder while lists lagged, each session knows its own. The next `stat` of the key then asks
        for the one that counts. False where there can be no two.
        """
        joined, store = self._joined, self._joined.store
        if not store.properties.has_ids:
            return False
        if not joined.created:
            begun = store.stat(naming.run_file(joined.folder)).modified
            if (store.now() - begun).total_seconds() >= YOUNG_S:
                return False
        store.list_objects(joined.folder)
        return True

    def _be_named(self) -> None:
        """This session ends: the head that counts shall name it."""
        joined = self._joined
        head, _ = read_head(joined.store, joined.folder)
        if joined.session not in head.sessions:
            give_way(joined.store, joined.folder, head, joined.writer, store_id=joined.store_id)
            joined.writer.publish()

    def _look_for_conflicts(self) -> None:
        store = self._joined.store
        if store.properties.compare_and_swap:
            return
        root = Path(store.url)  # only a mounted folder has no compare-and-swap, and its url is its path
        sessions = naming.session_file(self._joined.folder, self._joined.session)
        found: list[str] = []
        for folder in (root / self._joined.folder, (root / sessions).parent):
            with contextlib.suppress(OSError):  # a mount that is gone is said by the call that needs it
                found += conflicts(folder)
        if found and not self.conflicts:
            self._say(
                f"batonpass: the mounted Drive made copies because two machines wrote one file: {', '.join(found[:5])}. "
                "Look which machine should hold this run; `batonpass doctor` lists every copy"
            )
        self.conflicts = tuple(found)
