"""Lets a session on a mounted Drive learn that its checkpoints have arrived: it looks for the receipts of others, and for nothing where
the store proves arrival itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from batonpass.core.arrival import arrived_keys
from batonpass.core.errors import StoreError
from batonpass.core.model import CheckpointListing, Session
from batonpass.core.storage import Store
from batonpass.sync.receipts import read_receipts

LOOK_EVERY_S = 60.0


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
