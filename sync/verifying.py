"""Checks what a store holds against the manifests: every size and hash that it answers for, and on request the bytes themselves."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from batonpass.core import naming
from batonpass.core.codec import decode
from batonpass.core.errors import FormatError, NotFoundError
from batonpass.core.model import CheckpointListing, FileEntry, Manifest
from batonpass.core.storage import Store, Transfer
from batonpass.sync.proof import compare
from batonpass.sync.reading import RunFiles


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was published."""

    checkpoint: str
    """Key of the manifest."""
    step: int
    file: str
    problem: str


@dataclass(slots=True)
class VerifyReport:
    """What was looked at, and what was found. Sizes in bytes; a file that two checkpoints share counts once."""

    checkpoints: int = 0
    files: int = 0
    size_bytes: int = 0
    by_size_only: int = 0
    """Of the files: those for which the store names no checksum that the manifest has, too."""
    read_files: int = 0
    read_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    bytes_by_owner: dict[str, int] = field(default_factory=dict)
    """Who pays for the files, as the store says now; empty where it names nobody."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the files is read back: `share` of them, the next ones at the next `turn`, so that `1/7` a day reads all in a week."""

    share: Fraction
    turn: int

    def holds(self, sha256: str) -> bool:
        """Whether a file is in this turn's part. Spread by its hash."""
        parts, taken = self.share.denominator, self.share.numerator
        return (int(sha256[:12], 16) - self.turn * taken) % parts < taken


def verify_run(
    store: Store,
    run: RunFiles,
    *,
    share: Share | None = None,
    progress: Callable[[str, int, int], None] = lambda _file, _done_bytes, _total_bytes: None,
) -> VerifyReport:
    """Look at every published checkpoint that nobody asked to remove. A store that does not answer raises."""
    report = VerifyReport()
    pending: dict[str, tuple[CheckpointListing, FileEntry]] = {}
    for listing in _listings(run):
        report.checkpoints += 1
        manifest = _manifest(store, listing, report)
        for entry in manifest.files if manifest else ():
            pending.setdefault(entry.pool, (listing, entry))
    total = sum(entry.stored.size_bytes for _, entry in pending.values() if share and share.holds(entry.stored.sha256))
    for listing, entry in pending.values():
        report.files += 1
        report.size_bytes += entry.stored.size_bytes
        problem = _metadata_problem(store, run.folder, entry, report)
        if not problem and share is not None and share.holds(entry.stored.sha256):
            tell = _from(progress, entry.name, report.read_bytes, total)
            problem = _content_problem(store, run.folder, entry, tell)
            report.read_files += 1
            report.read_bytes += entry.stored.size_bytes
        if problem:
            report.findings.append(Finding(listing.key, listing.step, entry.name, problem))
    return report


def _from(progress: Callable[[str, int, int], None], name: str, before: int, total: int) -> Callable[[int, int], None]:
    return lambda sent, _all: progress(name, before + sent, total)


def _listings(run: RunFiles) -> Iterator[CheckpointListing]:
    for seen in run.sessions:
        yield from (c for c in seen.session.checkpoints if c.key not in run.deleted)


def _manifest(store: Store, listing: CheckpointListing, report: VerifyReport) -> Manifest | None:
    try:
        content = store.get(naming.check_key(listing.key), store_id=listing.id)
        problem = (
            "" if hashlib.sha256(content).hexdigest() == listing.manifest_sha256 else "not the one that was published"
        )
        manifest = decode(Manifest, content, key=listing.key)
        for entry in manifest.files:
            naming.check_part(entry.pool)
            naming.check_file_name(entry.name)
    except NotFoundError:
        problem, manifest = "not there", None
    except FormatError as error:
        problem, manifest = error.message, None
    if problem:
        report.findings.append(Finding(listing.key, listing.step, "its manifest", problem))
        return None
    return manifest


def _metadata_problem(store: Store, folder: str, entry: FileEntry, report: VerifyReport) -> str:
    try:
        info = store.stat(naming.pool_file(folder, entry.pool), store_id=entry.id)
    except NotFoundError:
        return "not there"
    if info.owner:
        report.bytes_by_owner[info.owner] = report.bytes_by_owner.get(info.owner, 0) + info.size_bytes
    stored = entry.stored
    if info.size_bytes != stored.size_bytes:
        return f"{info.size_bytes:,} bytes instead of {stored.size_bytes:,}"
    same = compare(info, size_bytes=stored.size_bytes, sha256=stored.sha256, md5=stored.md5)
    report.by_size_only += same is None
    return "the store's checksum differs" if same is False else ""


def _content_problem(store: Store, folder: str, entry: FileEntry, progress: Callable[[int, int], None]) -> str:
    """Reads the bytes; a difference counts when a second reading says the same."""
    for _ in range(2):
        sink = HashSink()
        try:
            store.fetch(
                naming.pool_file(folder, entry.pool), sink, store_id=entry.id, transfer=Transfer(on_progress=progress)
            )
        except NotFoundError:
            return "not there"
        if sink.sha256.hexdigest() == entry.stored.sha256:
            return ""
    return "its bytes have another sha256 (read twice)"


class HashSink(io.BytesIO):
    """A file that keeps only the hash and the length of what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: Any) -> int:
        """Take the next bytes."""
        self.sha256.update(data)
        self.size_bytes += len(data)
        return len(data)
