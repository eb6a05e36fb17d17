"""The stitched metrics of the runs looked at lately, within a limit of memory. No Streamlit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from batonpass.streamlit_app.curves import RunCurves

MOST_RUNS = 12
"""More than are ever drawn beside each other."""
BUDGET_BYTES = 800_000_000
"""What they may take together; the newest stays whatever its size. About 18 million values."""


class KeptCurves:
    """Curves by run folder, each of one version; the least lately asked for go first. Thread-safe; one run is stitched at a time."""

    def __init__(self, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[object, RunCurves]] = {}

    def get(self, folder: str, version: object, make: Callable[[], RunCurves]) -> RunCurves:
        """The curves of this version; made where they are not kept. An older version is let go of before, so that a long run is not held twice."""
        with self._lock:
            found = self._kept.pop(folder, None)
            if found is None or found[0] != version:
                found = None
                found = (version, make())
            if not found[1].is_whole:  # the store may give the rest the next time
                return found[1]
            self._kept[folder] = found
            while len(self._kept) > 1 and (len(self._kept) > MOST_RUNS or self.size_bytes > self._budget_bytes):
                self._kept.pop(next(iter(self._kept)))
            return found[1]

    def drop(self, folder: str) -> None:
        """Forget a run."""
        with self._lock:
            self._kept.pop(folder, None)

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(curves.size_bytes for _, curves in self._kept.values())
