"""Facts about the real Drive that nobody here has checked: each is a switch, and a named temper sets them all by one control call.

    kind     what most clients see most of the time
    strict   what the documentation, or another project's bug list, allows: hard on a client, never wrong

A client that works in both tempers does not depend on which is true.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

UNIT = 256 * 1024
_DRIFT_S = (0.0, 0.1)


@dataclass(frozen=True)
class Temper:
    etag_drifts: bool = False
    """A file's etag changes once more some time after a write, although nobody wrote."""
    short_ranges: bool = False
    """A session keeps less of a request than was sent, and its 308 says so."""
    unlisted: int = 0
    """So many lists leave a new file or folder out."""
    shares_reach_the_client: bool = True
    """Under drive.file, a file shared with a second user is visible to them through the same client."""
    media_if_match: bool = True
    """If-Match is honoured where content is replaced. It always is where only metadata or nothing is."""


TEMPERS = {
    "kind": Temper(),
    "strict": Temper(
        etag_drifts=True, short_ranges=True, unlisted=2, shares_reach_the_client=False, media_if_match=False
    ),
}


class Moods:
    """The temper in force, and the seeded choices that it leaves open."""

    def __init__(self) -> None:
        self.temper = TEMPERS["kind"]
        self.random = random.Random(0)

    def become(self, temper: Temper, seed: int) -> None:
        self.temper = temper
        self.random.seed(seed)

    def drift_s(self) -> float | None:
        """How long after a write the etag changes again; None where it does not."""
        return self.random.uniform(*_DRIFT_S) if self.temper.etag_drifts else None

    def kept(self, sent: int) -> int | None:
        """How much of an upload's request of `sent` bytes is kept at most: whole units, one at least; None where it is all."""
        units = (sent - 1) // UNIT
        if not self.temper.short_ranges or units < 1 or self.random.random() < 0.5:
            return None
        return self.random.randint(1, units) * UNIT
