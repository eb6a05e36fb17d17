"""What stood or stands against training on the cards a log holds: each card with the torch it met there. Pure; plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from batonpass.core.gpu.advice import hints, obstacles
from batonpass.core.gpu.ranking import Precision
from batonpass.core.gpu.wheels import wheel_gap
from batonpass.core.model import Gpu, Session
from batonpass.streamlit_app.components.gpus import card_entry, provider_name, short_name
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
    known: dict[object, list[CardNote]] = {}  # thousands of sessions met a handful of pairs of card and torch
    for s in sessions:
        for gpu in {g.name: g for g in s.gpus[:16]}.values():
            pair = (replace(gpu, uuid_hash=None), s.versions.get("torch"), s.versions.get("cuda"))
            if pair not in known:
                known[pair] = _of_card(s, gpu, precision)
            for note in known[pair]:
                found.setdefault(note, set()).add(s.id)
                where.setdefault(note, set()).add(provider_name(s))
    told = [
        CardNote(f"{w.text} Seen in {plural(len(ids), 'session')} ({', '.join(sorted(where[w])[:4])}).", w.grave)
        for w, ids in found.items()
    ]
    return sorted(told, key=lambda w: (not w.grave, w.text))


def _of_card(session: Session, gpu: Gpu, precision: Precision) -> list[CardNote]:
    clean = _clean(gpu)
    texts = [CardNote(" ".join(grave), grave=True)] if (grave := obstacles(clean, precision)) else []
    if clean.usable is None and (gap := _gap(session, clean)):
        texts.append(CardNote(gap, grave=True))
    return [*texts, *(CardNote(text, grave=False) for text in hints(clean, precision))]


def _clean(gpu: Gpu) -> Gpu:
    """The card under its short name, with a compute capability that can be one: the driver's, else the catalogue's."""
    known = gpu.compute_capability
    if known is None or _CAPABILITY.fullmatch(known) is None:
        entry = card_entry(gpu.name, gpu.memory_bytes)
        known = entry.compute_capability if entry is not None else None
    why = plain(gpu.why_not, limit=200).rstrip(".") if gpu.why_not else None
    return replace(gpu, name=short_name(gpu.name, gpu.memory_bytes), compute_capability=known, why_not=why)


def _gap(session: Session, gpu: Gpu) -> str:
    """Why the torch that the session noted is not expected to run on the card, where nobody tried; empty where nothing is known."""
    torch = plain(session.versions.get("torch", ""), limit=40)
    if torch.endswith("+cpu"):
        return f"torch {torch} is built without CUDA and will not use the {gpu.name}."
    if not torch or gpu.compute_capability is None:
        return ""
    gap = wheel_gap(gpu.compute_capability, torch, session.versions.get("cuda"))
    return f"{gap} Nobody tried it on the {gpu.name}: a first CUDA operation there will tell." if gap else ""
