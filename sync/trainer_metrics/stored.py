"""What the sessions before have logged into a run: so that a new watch of the same files logs nothing twice."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field, replace

from batonpass.core.errors import FormatError, NotFoundError
from batonpass.core.lineage import trace
from batonpass.core.metrics.foreign.point import fingerprint
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import decode_segment
from batonpass.core.metrics.tail import decode_tail
from batonpass.core.model import Session
from batonpass.core.storage import Store
from batonpass.sync.reading import fetch_segment, read_run
from batonpass.sync.trainer_metrics.steps import Steps

ROWS_LIMIT = 2_000_000
"""Of a run with more stored rows the oldest are not compared."""

NEWEST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Before:
    """The rows of the sessions before. `session` is the newest of them that held the run, "" when there is none."""

    session: str = ""
    rows: int = 0
    steps: Steps = field(default_factory=Steps)
    """Those of `session`."""
    last: dict[str, int] = field(default_factory=dict)
    """Name -> the step at which `session` logged it last."""
    known: array[int] = field(default_factory=lambda: array("q"))
    """Fingerprints of all their values, sorted."""
    newest: frozenset[int] = frozenset()
    """Fingerprints of the last rows of `session`, as far as they count."""
    unread: tuple[str, ...] = ()
    """What could not be read, one sentence each."""

    def has(self, name: str, step: int, value: float) -> bool:
        """Whether this very value was logged before."""
        wanted = fingerprint(name, step, value)
        place = bisect_left(self.known, wanted)
        return place < len(self.known) and self.known[place] == wanted


def read_before(store: Store, folder: str, session: str) -> Before:
    """The rows of the sessions on the way back from `session`, itself left out. StoreError as the store gives it, but a segment that
    is not there or damaged is only named in `unread`.
    """
    run = read_run(store, folder)
    others = [s.session for s in run.sessions if s.session.id != session]
    links = [
        link
        for link in trace(replace(run.head, holder=None), others).links
        if link.session.rows or link.session.checkpoints
    ]
    unread: list[str] = []
    prints: list[int] = []
    newest: list[Row] = []
    for place, link in enumerate(links):
        rows = _rows_of(store, link.session, unread)
        newest = rows if place == 0 else newest
        prints += [fingerprint(row.name, row.step, row.value) for row in rows]
        if len(prints) >= ROWS_LIMIT:
            break
    if not links:
        return Before()
    first = links[0].session
    steps = Steps()
    for row in newest:
        steps.add(row.row, row.step)
    last = {row.name: row.step for row in newest}
    known = array("q", sorted(prints))
    went_back_at = max((at for at, _ in first.rewinds), default=0)
    tail = [row for row in newest[-NEWEST_ROWS:] if row.row >= went_back_at]
    ends = frozenset(fingerprint(row.name, row.step, row.value) for row in tail)
    return Before(first.id, max(first.rows, steps.end), steps, last, known, ends, tuple(unread))


def _rows_of(store: Store, session: Session, unread: list[str]) -> list[Row]:
    found: dict[int, Row] = {}
    for segment in session.segments:
        try:
            rows = decode_segment(fetch_segment(store, segment), key=segment.key)
        except (NotFoundError, FormatError) as error:
            unread.append(error.message)
            continue
        found |= {row.row: row for row in rows}
    try:
        found |= {row.row: row for row in decode_tail(session.tail)}
    except FormatError as error:
        unread.append(error.message)
    return [found[number] for number in sorted(found)]
