"""Who owns, and so pays for, the bytes of a run: what the session files say of each checkpoint. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from batonpass.core.model import Session


def bytes_by_owner(sessions: Iterable[Session]) -> dict[str, int]:
    """Bytes of the listed checkpoints by the owner that the store named, largest first; what it named nobody for is left out.

    A file that two checkpoints share counts twice: an upper bound.

    >>> bytes_by_owner([])
    {}
    """
    found: dict[str, int] = defaultdict(int)
    for session in sessions:
        for listing in session.checkpoints:
            if listing.owner:
                found[listing.owner] += listing.size_bytes
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
