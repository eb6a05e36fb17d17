"""What a GPU is called on a page, and its colour. Colour never stands alone: the name is always beside it."""

from __future__ import annotations

import zlib
from functools import lru_cache

from batonpass.core.gpu.catalogue import CatalogueEntry, match_gpu
from batonpass.core.model import Session
from batonpass.core.providers import provider_of
from batonpass.core.usage import NO_PROVIDER
from batonpass.streamlit_app.components.text import plain

NO_GPU = "no GPU"
_COLOURS = {
    "K80": "#8a8378",
    "P100": "#c77d26",
    "T4": "#23938f",
    "L4": "#8464bd",
    "V100": "#5d8f3a",
    "A100": "#3f7fc4",
    "H100": "#c24d78",
}
_OTHERS = ("#a0785a", "#6b7280", "#a3699a", "#7f8f3c", "#b0605a")
_NONE = "#8b9194"


def gpu_entry(session: Session) -> CatalogueEntry | None:
    """What the catalogue says of the session's first GPU."""
    return card_entry(session.gpus[0].name, session.gpus[0].memory_bytes) if session.gpus else None


def gpu_name(session: Session) -> str:
    """A short name of the session's GPUs, as "T4", "2 x T4" or "no GPU"; plain text."""
    if not session.gpus:
        return NO_GPU
    name = short_name(session.gpus[0].name, session.gpus[0].memory_bytes)
    return name if len(session.gpus) == 1 else f"{len(session.gpus)} x {name}"


def short_name(name: str, memory_bytes: int = 0) -> str:
    """The catalogue's name of a card, or the driver's without its family names; plain text."""
    entry = card_entry(name, memory_bytes)
    raw = plain(name, limit=40)
    for family in ("NVIDIA ", "GeForce ", "Tesla "):
        raw = raw.replace(family, "")
    return entry.name if entry else raw or "unnamed GPU"


@lru_cache(maxsize=1024)
def card_entry(name: str, memory_bytes: int) -> CatalogueEntry | None:
    """What the catalogue says of a card. Kept: a log has thousands of sessions and a handful of cards."""
    return match_gpu(name[:200], memory_bytes)


def gpu_colour(name: str) -> str:
    """The same colour for the same card on every page, readable on light and dark."""
    if name == NO_GPU:
        return _NONE
    for known, colour in _COLOURS.items():
        if known in name.split():
            return colour
    return _OTHERS[zlib.crc32(name.encode()) % len(_OTHERS)]


def provider_name(session: Session) -> str:
    """Where it ran, as a person calls it; plain text."""
    if session.host.provider == NO_PROVIDER:
        return "own machine"
    return plain(provider_of(session.host.provider).name, limit=30) or "unknown place"


def place(session: Session) -> str:
    """Provider and account, as "Colab, personal"; plain text."""
    return f"{provider_name(session)}, {plain(session.account, limit=40) or 'no label'}"
