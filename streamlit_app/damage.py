"""What in a record cannot be true, although its file can be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from batonpass.core.errors import FormatError
from batonpass.core.model import Session

LARGEST = 2**63 - 1
"""Counts beyond this are damage: JSON has room for them, arithmetic has not."""


def check_numbers(session: Session) -> None:
    """FormatError where a whole number that a page reckons with is none that a machine would have written."""
    if any(n is not None and abs(n) > LARGEST for n in _whole_numbers(session)):
        raise FormatError("it holds a number that cannot be one", hint="the file may be damaged; it was left as it is")


def _whole_numbers(session: Session) -> Iterable[int | None]:
    yield from (session.step, session.steps_done, session.rows, session.term, session.beat)
    yield from (session.host.cpu_count, session.host.ram_bytes, session.host.disk_free_bytes)
    for gpu in session.gpus:
        yield gpu.memory_bytes
    for sample in session.gpu_samples:
        yield from (sample.index, sample.memory_used_bytes)
    for listing in session.checkpoints:
        yield from (listing.step, listing.attempt, listing.size_bytes, listing.plain_size_bytes, listing.metric_rows)
    for segment in session.segments:
        yield from (segment.first_row, segment.end_row, segment.size_bytes)
    for rewind in session.rewinds:
        yield from rewind
    if (record := session.resumed_from) is not None:
        yield from (record.step, record.metric_rows)
    if (proof := session.resume_proof) is not None:
        yield from (proof.steps, proof.first_step, proof.last_step, proof.differs_at)
