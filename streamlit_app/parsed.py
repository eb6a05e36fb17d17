"""Segments that were parsed lately, by what they hold: a live run's next reading parses only what is new. No Streamlit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from batonpass.core.metrics.segments import read_segment
from batonpass.core.metrics.table import MetricTable
from batonpass.core.model import Segment

BUDGET_BYTES = 64_000_000
"""About 1.8 million values; a longer history is parsed again from this computer's disk, at 10 million values a second or so."""


class ParsedSegments:
    """Tables by the sha256 of their segment, the least lately used dropped first. Thread-safe. Nobody may write into the arrays."""

    def __init__(self, fetch: Callable[[Segment], bytes], *, budget_bytes: int = BUDGET_BYTES) -> None:
        """`fetch` gives a segment's bytes, proven to have its sha256."""
        self.size_bytes = 0
        """What the kept tables take; never above the budget."""
        self._fetch = fetch
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[str, MetricTable] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, segment: Segment) -> MetricTable:
        """The rows of a segment. StoreError or FormatError where it cannot be fetched or is none; that is not remembered."""
        with self._lock:
            kept = self._kept.get(segment.sha256)
            if kept is not None:
                self._kept.move_to_end(segment.sha256)
                return kept
        table = read_segment(self._fetch(segment), key=segment.key)
        with self._lock:
            self._keep(segment.sha256, table)
        return table

    def _keep(self, sha256: str, table: MetricTable) -> None:
        if table.size_bytes > self._budget_bytes or sha256 in self._kept:
            return
        self._kept[sha256] = table
        self.size_bytes += table.size_bytes
        while self.size_bytes > self._budget_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= oldest.size_bytes
