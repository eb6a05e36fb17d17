"""A receipt: what one reader has seen arrive, somewhere else than on the machine that wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from batonpass.core.model.run import FORMAT


class Method(StrEnum):
    """How a reader came to know."""

    READ = "read"
    """The sha256 of every byte, read through the folder on another machine than the writer's."""
    API = "api"
    """Size and checksum of every file, answered by the far store itself."""


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """One checkpoint, every byte of which has arrived."""

    key: str
    """Key of its manifest."""
    manifest_sha256: str
    """The manifest that was proven: an entry counts only for a listing with the same one."""
    at: datetime
    method: str
    """A `Method`; an entry with any other word counts for nothing."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`receipts/<reader>.json`. It has one writer: the reader of that name."""

    reader: str
    entries: tuple[ReceiptEntry, ...] = ()
    format: int = FORMAT
