"""The stitched metrics of the runs looked at lately, within a limit of memory; made in a thread of their own, so that a page can go on
where a far store takes its time. No Streamlit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from batonpass.streamlit_app.curves import RunCurves

MOST_RUNS = 12
"""More than are ever drawn beside each other."""
BUDGET_BYTES = 800_000_000
"""What they may take together; the newest stays whatever its size. About 18 million values."""
TWICE_BYTES = 250_000_000
"""Up to this size the curves of a run stay until those of its next version are there."""

Make = Callable[[], RunCurves]


class KeptCurves:
    """Curves by run folder, each of one version; the least lately asked for go first. Thread-safe; one run is stitched at a time."""

    def __init__(self, *, budget_bytes: int = BUDGET_BYTES, twice_bytes: int = TWICE_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._twice_bytes = twice_bytes
        self._lock = threading.Lock()
        self._stitching = threading.Lock()
        self._kept: dict[str, tuple[Hashable, RunCurves]] = {}
        self._coming: dict[tuple[str, Hashable], Future[RunCurves]] = {}

    def get(self, folder: str, version: Hashable, make: Make, *, patience_s: float | None = None) -> RunCurves | None:
        """The curves of this version, made where they are not kept; None where that takes longer than `patience_s`: they come all the
        same, for whoever asks later. Raises what `make` raises.
        """
        with self._lock:
            found = self._kept.pop(folder, None)
            if found is not None:
                self._kept[folder] = found
                if found[0] == version:
                    return found[1]
            coming = self._coming.get((folder, version))
            if coming is None:
                coming = self._coming[folder, version] = Future()
                work = threading.Thread(
                    target=self._bring, args=(folder, version, make), name="batonpass-app-curves", daemon=True
                )
                work.start()
        try:
            return coming.result(patience_s)
        except TimeoutError:
            return None

    def renew(self, folder: str, version: Hashable, make: Make) -> None:
        """Make the next version of what is kept before anybody asks for it; nothing where none is kept, or a long one."""
        with self._lock:
            found = self._kept.get(folder)
        if found is not None and found[0] != version and found[1].size_bytes <= self._twice_bytes:
            self._stitched(folder, version, make)

    def drop(self, folder: str) -> None:
        """Forget a run."""
        with self._lock:
            self._kept.pop(folder, None)

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(curves.size_bytes for _, curves in self._kept.values())

    def _bring(self, folder: str, version: Hashable, make: Make) -> None:
        coming = self._coming[folder, version]
        try:
            coming.set_result(self._stitched(folder, version, make))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to whoever waits
            coming.set_exception(error)
        finally:
            with self._lock:
                del self._coming[folder, version]

    def _stitched(self, folder: str, version: Hashable, make: Make) -> RunCurves:
        with self._stitching:
            with self._lock:
                found = self._kept.get(folder)
                if found is not None and found[0] == version:
                    return found[1]
                if found is not None and found[1].size_bytes > self._twice_bytes:
                    del self._kept[folder]
            found = version, make()
            with self._lock:
                self._kept.pop(folder, None)
                self._kept[folder] = found
                while len(self._kept) > 1 and (len(self._kept) > MOST_RUNS or self.size_bytes > self._budget_bytes):
                    self._kept.pop(next(iter(self._kept)))
            return found[1]
