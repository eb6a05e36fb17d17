"""The resume proof: what the steps that run again log is compared with what was recorded of them, on the service's own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from batonpass.core.errors import BatonpassError
from batonpass.core.metrics.replay import compare_again, first_steps
from batonpass.core.metrics.row import Row, to_number_or_word
from batonpass.core.metrics.segments import decode_segment
from batonpass.core.metrics.tail import decode_tail
from batonpass.core.model import ResumeProof, ResumeRecord, Segment, Session
from batonpass.core.resumption import is_defect, proof_words
from batonpass.core.storage import Store
from batonpass.sync.joining import Joined
from batonpass.sync.reading import fetch_segment, read_session

_LOOKS = 6
"""How often the recorded steps are looked for: the last session's file may arrive late, but not for ever."""

_SEGMENTS = 2


class ReplayWatch:
    """Of one session. `look` is called at every tick, by one thread at a time; until it has compared, it reads this session's log and
    once the older session's file.
    """

    def __init__(self, joined: Joined, say: Callable[[str], None]) -> None:
        self._joined = joined
        self._say = say
        self._recorded: list[Row] = []
        self._looks = 0
        self._settled = False
        self._said: int | None = -1
        self._data: str | None = None

    def begin(self, data: str) -> bool:
        """The training thread has seen the next batch (`ResumeProof.data`), and the label is what it will be. False on later calls."""
        first, self._data = self._data is None, data
        return first

    def look(self) -> None:
        """Compare what is there by now. Never an error: what cannot be read becomes the proof's `note`."""
        record = self._joined.writer.record
        resumed, data = record.resumed_from, self._data
        if resumed is None or data is None:
            return
        known = record.resume_proof or ResumeProof()
        proof = replace(known, data=data)
        if not self._settled:
            proof = self._compared(resumed, proof)
        if proof != known:
            self._joined.writer.change(resume_proof=proof)
        self._tell(resumed, proof)

    def _compared(self, resumed: ResumeRecord, proof: ResumeProof) -> ResumeProof:
        try:
            again = self._joined.log.read()
            if not any(row.step > resumed.step for row in again):
                return proof  # nothing has been run again yet
            if not self._recorded:
                self._looks += 1
                self._settled = self._looks >= _LOOKS
                ids = self._joined.head.session_ids
                self._recorded = recorded_rows(self._joined.store, self._joined.folder, resumed, ids)
        except Exception as error:  # noqa: BLE001  # whatever somebody's file holds, it must not cost the heartbeat: shown as the note
            why = error.message if isinstance(error, BatonpassError) else f"{type(error).__name__}: {error}"
            return replace(proof, note=f"what was recorded after that checkpoint cannot be read ({why})")
        if not self._recorded:
            return replace(proof, note="nothing was recorded after that checkpoint, so no step could be compared")
        last = self._recorded[-1].step
        self._settled = again[-1].step > last
        found = compare_again(self._recorded, (row for row in again if row.step <= last))
        if found is None:
            return replace(proof, note="no metric was logged both then and now, so no step could be compared")
        numbers = asdict(found) | {"value": to_number_or_word(found.value), "before": to_number_or_word(found.before)}
        return ResumeProof(data=proof.data, **numbers)

    def _tell(self, resumed: ResumeRecord, proof: ResumeProof) -> None:
        """Once when the first steps are compared, and once more if a later one differs."""
        if not proof.steps or self._said == proof.differs_at:
            return
        self._said = proof.differs_at
        mark = "NOT AS PROMISED: " if is_defect(resumed, proof) else ""
        self._say(f"batonpass: {mark}resume {resumed.label}: {proof_words(resumed, proof)}")


def recorded_rows(store: Store, folder: str, resumed: ResumeRecord, session_ids: dict[str, str]) -> list[Row]:
    """The first steps that the resume superseded: rows of the older session that its checkpoint did not hold, as far as they have
    arrived, oldest first. StoreError, FormatError.
    """
    older = read_session(store, folder, resumed.session, store_id=session_ids.get(resumed.session)).session
    first = resumed.metric_rows
    rows = {row.row: row for row in decode_tail(older.tail) if row.row >= first}
    for segment in _needed(older, first, min(rows, default=None)):
        rows |= {
            row.row: row for row in decode_segment(fetch_segment(store, segment), key=segment.key) if row.row >= first
        }
    return first_steps(rows[number] for number in sorted(rows))


def _needed(older: Session, first: int, end: int | None) -> Sequence[Segment]:
    """The first sealed ones with rows from `first` up to `end`, where the tail begins: the steps looked at are in them."""
    return [s for s in older.segments if s.end_row > first and (end is None or s.first_row < end)][:_SEGMENTS]
