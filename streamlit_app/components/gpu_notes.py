"""What stood or stands against training on the cards a log holds: each card with the torch it met there. Pure; plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from batonpass.core.gpu.advice import hints, obstacles
from batonpass.core.gpu.ranking import Precision
from batonpass.core.gpu.wheels import wheel_gap
from batonpass.core.model import Gpu, Session
from batonpass.streamlit_app.components.gpus import gpu_entry, provider_name, short_name
from batonpass.streamlit_app.components.text import plain
from batonpass.streamlit_app.wording import plural

_CAPABILITY = re.compile(r"[0-9]{1,2}\.[0-9]")


@dataclass(frozen=True, slots=True)
class CardNote:
    """One sentence or two; `grave` where it keeps training from working or makes it crawl."""

    text: str
    grave: bool


def notes_of(sessions: Iterable[Session], precision: Precision) -> list[CardNote]:
    """The gravest first, each once however many sessions it is true of."""
    found: dict[CardNote, set[str]] = {}
    where: dict[CardNote, set[str]] = {}
    for s in sessions:
        for gpu in {g.name: g for g in s.gpus}.values():
            for note in _of_card(s, gpu, precision):
                found.setdefault(note, set()).add(s.id)
                where.setdefault(note, set()).add(provider_name(s))
    told = [
        CardNote(f"{w.text} Seen in {plural(len(ids), 'session')} ({', '.join(sorted(where[w])[:4])}).", w.grave)
        for w, ids in found.items()
    ]
    return sorted(told, key=lambda w: (not w.grave, w.text))


def _of_card(session: Session, gpu: Gpu, precision: Precision) -> list[CardNote]:
    clean = _clean(session, gpu)
    texts = [CardNote(" ".join(grave), grave=True)] if (grave := obstacles(clean, precision)) else []
    gap = _gap(session, clean)
    if gap and clean.usable is None:
        texts.append(
            CardNote(f"{gap} Nobody tried it on the {clean.name}: a first CUDA operation there will tell.", grave=True)
        )
    return [*texts, *(CardNote(text, grave=False) for text in hints(clean, precision))]


def _clean(session: Session, gpu: Gpu) -> Gpu:
    """The card under its short name, with a compute capability that can be one: the driver's, else the catalogue's."""
    known = gpu.compute_capability
    if known is None or _CAPABILITY.fullmatch(known) is None:
        entry = gpu_entry(session)
        known = entry.compute_capability if entry is not None and gpu == session.gpus[0] else None
    why = plain(gpu.why_not, limit=200).rstrip(".") if gpu.why_not else None
    return replace(gpu, name=short_name(gpu.name, gpu.memory_bytes), compute_capability=known, why_not=why)


def _gap(session: Session, gpu: Gpu) -> str:
    torch = plain(session.versions.get("torch", ""), limit=40)
    if not torch or gpu.compute_capability is None:
        return ""
    return wheel_gap(gpu.compute_capability, torch, session.versions.get("cuda"))
