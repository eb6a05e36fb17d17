"""Learns from the receipts of others that checkpoints have arrived: the app for its pages, a session on a mounted Drive for its card.
Where the store proves arrival itself, nothing is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from batonpass.core.arrival import arrived_keys
from batonpass.core.errors import StoreError
from batonpass.core.model import CheckpointListing, Session
from batonpass.core.storage import Store
from batonpass.sync.reading import RunFiles, want_receipts
from batonpass.sync.receipts import read_receipts

LOOK_EVERY_S = 60.0


def with_receipts(store: Store, run: RunFiles) -> RunFiles:
    """The run as it was read, and the receipts there are now."""
    broken = list(run.broken)
    receipts = read_receipts(store, run.folder, broken) if want_receipts(run.sessions) else ()
    return replace(run, receipts=receipts, broken=tuple(broken))


class Arrivals:
    """What receipts have proven of one session. `look` is called by one thread, often; any thread may ask."""

    def __init__(self, store: Store, folder: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._looked_at = float("-inf")
        self._arrived: frozenset[str] = frozenset()

    def look(self, session: Session) -> None:
        """Read the receipts, at most once in `LOOK_EVERY_S`, while the session's newest checkpoint is only handed over."""
        newest = session.checkpoints[-1] if session.checkpoints else None
        if newest is None or self.known(newest).proven or self._clock() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = self._clock()
        try:
            receipts = read_receipts(self._store, self._folder, [])
        except StoreError:
            return  # the heartbeat that follows meets the same store and says what is wrong with it
        self._arrived = arrived_keys(receipts, [session])

    def known(self, listing: CheckpointListing) -> CheckpointListing:
        """The listing, proven where a receipt says so."""
        return replace(listing, proven=True) if listing.key in self._arrived else listing
