"""What of a file that its trainer writes anew each time has been given on already."""

from __future__ import annotations

from array import array

from batonpass.core.metrics.foreign.point import Point


class Seen:
    """The points given on so far, as 64-bit hashes in their order. Values equal to those at the same place before are not new."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._place = 0

    def begin_again(self) -> None:
        """The next point is the file's first."""
        self._place = 0

    def is_new(self, point: Point) -> bool:
        """Whether the point at this place differs from what stood here before; from the first that does, all are new."""
        found = hash((point.step, tuple(sorted((name, repr(value)) for name, value in point.values))))
        known = self._place < len(self._hashes)
        if known and self._hashes[self._place] == found:
            self._place += 1
            return False
        del self._hashes[self._place :]
        self._hashes.append(found)
        self._place += 1
        return True
