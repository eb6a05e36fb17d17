"""The stitched metrics of the runs looked at lately, within a limit of memory. No Streamlit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable

from batonpass.streamlit_app.curves import RunCurves

MOST_RUNS = 12
"""More than are ever drawn beside each other."""
BUDGET_BYTES = 800_000_000
"""What they may take together; the newest stays whatever its size. About 18 million values."""
TWICE_BYTES = 250_000_000
"""Up to this size the curves of a run stay until those of its next version are there."""

Make = Callable[[], RunCurves]

_log = logging.getLogger(__name__)


class KeptCurves:
    """Curves by run folder, each of one version; the least lately asked for go first. Thread-safe; one run is stitched at a time."""

    def __init__(self, *, budget_bytes: int = BUDGET_BYTES, twice_bytes: int = TWICE_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._twice_bytes = twice_bytes
        self._lock = threading.Lock()
        self._stitching = threading.Lock()
        self._kept: dict[str, tuple[Hashable, RunCurves]] = {}

    def look(self, folder: str, version: Hashable) -> RunCurves | None:
        """The curves of this version if they are kept."""
        with self._lock:
            found = self._kept.get(folder)
            if found is None or found[0] != version:
                return None
            self._kept[folder] = self._kept.pop(folder)
            return found[1]

    def get(self, folder: str, version: Hashable, make: Make) -> RunCurves:
        """The curves of this version, made where they are not kept; raises what `make` raises. Curves that lack a piece which the store
        may give the next time are not kept.
        """
        found = self.look(folder, version)
        if found is not None:
            return found
        with self._stitching:
            found = self.look(folder, version)
            if found is not None:
                return found
            with self._lock:
                before = self._kept.get(folder)
                if before is not None and before[1].size_bytes > self._twice_bytes:
                    del self._kept[folder]
            found = make()
            if found.is_whole:
                self._keep(folder, version, found)
            return found

    def renew(self, folder: str, version: Hashable, make: Make) -> None:
        """Make the next version of what is kept before anybody asks for it; nothing where none is kept, or a long one. Never raises: whoever
        asks for these curves gets the error, and the story of all other runs goes on.
        """
        with self._lock:
            found = self._kept.get(folder)
        if found is not None and found[0] != version and found[1].size_bytes <= self._twice_bytes:
            try:
                self.get(folder, version, make)
            except Exception:  # noqa: BLE001  # kept for nobody: who asks for these curves makes them again and gets it
                _log.exception("the curves of %s could not be made", folder)

    def drop(self, folder: str) -> None:
        """Forget a run."""
        with self._lock:
            self._kept.pop(folder, None)

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(curves.size_bytes for _, curves in self._kept.values())

    def _keep(self, folder: str, version: Hashable, curves: RunCurves) -> None:
        with self._lock:
            self._kept.pop(folder, None)
            self._kept[folder] = version, curves
            while len(self._kept) > 1 and (len(self._kept) > MOST_RUNS or self.size_bytes > self._budget_bytes):
                self._kept.pop(next(iter(self._kept)))
