"""What was found goes back into the attached objects and the loop, and what the loop then finds out about the resume is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from batonpass.core.training.adopted import Adopted, apply_adopted
from batonpass.core.training.attached import Attached
from batonpass.core.training.loop import TrainingLoop
from batonpass.core.training.read import Loaded
from batonpass.core.training.restore import Report, apply, check_fits
from batonpass.sync.active import ActiveSession
from batonpass.words import confirmation


def put_back(loaded: Loaded | Adopted, attached: Attached, loop: TrainingLoop) -> Report:
    """Restore everything; how well that went. CheckpointMismatchError before anything was changed."""
    if isinstance(loaded, Adopted):
        report, step, epoch = apply_adopted(loaded, attached)
        loop.begin_at(step=step, epoch=epoch)
        return report
    check_fits(loaded, attached)
    report = apply(loaded, attached)
    loop.restore(loaded)
    return report


def note_findings(loop: TrainingLoop, active: ActiveSession, say: Callable[[str], None]) -> None:
    """What the loop found after the restore: doubts make the resume PARTIAL, in the session's file too; data that was compared
    confirms it, and lets the steps that run again be compared.
    """
    seen, doubts = loop.data_seen, loop.doubts
    if seen is None and not doubts:
        return
    writer = active.joined.writer
    record = writer.record.resumed_from
    if record is None:
        return
    found = tuple(doubt for doubt in doubts if doubt not in record.missing)
    if found:
        record = replace(record, label="PARTIAL", missing=(*record.missing, *found))
        writer.change(resumed_from=record)
    if seen is not None and active.replay.begin(seen) and seen != "other":
        say(confirmation(record, seen=bool(seen)))
