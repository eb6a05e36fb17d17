"""What receipts prove, and who may write one: never the machine whose own cache would answer. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

from batonpass.core.model import Method, Receipt, Session

_HOME = "home"
"""Tells two machines together but never apart: one computer may have several home folders."""


def arrived_keys(receipts: Iterable[Receipt], sessions: Iterable[Session]) -> frozenset[str]:
    """Keys of the manifests that a receipt proves: the very manifest that its session lists, by sha256."""
    entries = [entry for receipt in receipts for entry in receipt.entries]
    proven = {(entry.key, entry.manifest_sha256) for entry in entries if entry.method in set(Method)}
    if not proven:
        return frozenset()
    listed = {(listing.key, listing.manifest_sha256) for session in sessions for listing in session.checkpoints}
    return frozenset(key for key, _ in proven & listed)


def salted_marks(identities: Mapping[str, str], session: str) -> tuple[str, ...]:
    """The marks of a machine for one session. `identities`: kind ("boot", "install", "home") -> long random value.

    The session's id is the salt, so that nobody can follow a machine from one session's file to another's.

    >>> salted_marks({"boot": "b"}, "one") == salted_marks({"boot": "b"}, "two")
    False
    """
    return tuple(
        f"{kind}:{hashlib.sha256(f'{session}{chr(10)}{kind}{chr(10)}{value}'.encode()).hexdigest()[:16]}"
        for kind, value in sorted(identities.items())
        if value
    )


def why_not_apart(writer: Collection[str], reader: Collection[str]) -> str:
    """Why a reader must be taken for the writer's own machine, in a few words; empty where the two are surely different ones."""
    if set(writer) & set(reader):
        return "this is the machine that wrote it, and its own cache would answer"
    if not _tells(writer):
        return "which machine wrote it is not known"
    if not _tells(reader):
        return "this machine cannot be told from the one that wrote it"
    return ""


def _tells(marks: Collection[str]) -> bool:
    return any(mark.partition(":")[0] != _HOME for mark in marks)
