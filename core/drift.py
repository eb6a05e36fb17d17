"""What differs between the surroundings of two sessions: versions, driver, GPU and host. Pure; from their records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from batonpass.core.model import Session

_FIRST = ("GPU", "torch", "cuda", "cudnn", "driver", "python", "numpy", "batonpass")
"""What most often explains another result stands first; the rest follows by name."""
NOT_NOTED = "not noted"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same; "not noted" where one of the sessions has no word of it. Untrusted text."""

    what: str
    before: str
    after: str


def surroundings(session: Session) -> Mapping[str, str]:
    """What a session wrote down of where it ran, in a fixed order. Untrusted text."""
    found = {str(name): str(version) for name, version in session.versions.items()}
    found["GPU"] = ", ".join(gpu.name for gpu in session.gpus) or "none"
    if driver := next((gpu.driver for gpu in session.gpus if gpu.driver), None):
        found["driver"] = driver
    if session.host.system:
        found["system"] = session.host.system
    if session.host.cpu_count:
        found["CPU cores"] = str(session.host.cpu_count)
    if session.host.ram_bytes:
        found["RAM, GiB"] = _gib(session.host.ram_bytes)
    first = [name for name in _FIRST if name in found]
    return {name: found[name] for name in (*first, *sorted(found.keys() - set(first)))}


def drift(before: Session, after: Session) -> tuple[Change, ...]:
    """Only what differs. What neither session noted is no difference."""
    old, new = surroundings(before), surroundings(after)
    names = [*(n for n in _FIRST if n in old or n in new), *sorted((old.keys() | new.keys()) - set(_FIRST))]
    pairs = ((name, old.get(name, NOT_NOTED), new.get(name, NOT_NOTED)) for name in names)
    return tuple(Change(*pair) for pair in pairs if pair[1] != pair[2])


def drifts(sessions: Iterable[Session]) -> tuple[tuple[Session, Session, tuple[Change, ...]], ...]:
    """Each session against the one that it followed, oldest first; pairs that agree are there, with nothing in them.

    A session that resumed is held against the one it resumed from; any other against the one before it.
    """
    ordered = sorted(sessions, key=lambda s: (s.started_at, s.id))
    known = {s.id: s for s in ordered}
    found = []
    for before, after in pairwise(ordered):
        source = known.get(after.resumed_from.session) if after.resumed_from else None
        origin = source if source is not None and source.id != after.id else before
        found.append((origin, after, drift(origin, after)))
    return tuple(found)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.3g}" if 0 < size_bytes < 2**60 else "not a size"
