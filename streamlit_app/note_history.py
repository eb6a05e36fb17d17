"""What a note said before it was changed. Notes are never rewritten, so every older text is still there. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from batonpass.core.model import Note


def older_texts(notes: Iterable[Note], note: Note) -> tuple[Note, ...]:
    """The texts that `note` replaced, newest first. A circle, as only a damaged store holds, is walked once."""
    by_id = {n.id: n for n in notes}
    older: list[Note] = []
    seen = {note.id}
    before = by_id.get(note.replaces or "")
    while before is not None and before.id not in seen:
        seen.add(before.id)
        older.append(before)
        before = by_id.get(before.replaces or "")
    return tuple(older)


def removed_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes that were emptied, each by its last text that was not empty, newest removal first."""
    every = tuple(notes)
    replaced = {n.replaces for n in every if n.replaces != n.id}
    emptied = sorted((n for n in every if not n.text.strip() and n.id not in replaced), key=lambda n: n.written_at)
    texts = (next((o for o in older_texts(every, n) if o.text.strip()), None) for n in reversed(emptied))
    return tuple(text for text in texts if text is not None)
