"""Proves that checkpoints which were only handed over to a mounted Drive have arrived, and writes the receipt.

Two ways: to read every byte through the folder on another machine than the writer's, or to ask a far store that answers for the bytes
it holds (`gdrive://` on a root that a mount wrote). What has not come yet is no damage; what differs counts when it was read twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from batonpass.core import naming
from batonpass.core.arrival import why_not_apart
from batonpass.core.codec import decode
from batonpass.core.errors import ConflictError, FormatError, NotFoundError
from batonpass.core.lineage import resume_candidates
from batonpass.core.model import CheckpointListing, FileEntry, Manifest, Method, ReceiptEntry, Session
from batonpass.core.storage import Store, Transfer
from batonpass.sync.identity import Identity, reader_id
from batonpass.sync.proof import compare
from batonpass.sync.reading import RunFiles, read_manifest
from batonpass.sync.receipts import add_to_receipt
from batonpass.sync.verifying import HashSink


class Outcome(StrEnum):
    """What became of one checkpoint that is not proven yet."""

    PROVEN = "proven"
    WAITING = "not arrived yet"
    REFUSED = "not for this machine to prove"
    DAMAGED = "not as it was published"


@dataclass(frozen=True, slots=True)
class Proof:
    """One checkpoint that was looked at. `detail` says which file and why; empty where it is proven."""

    checkpoint: str
    """Key of the manifest."""
    session: str
    step: int
    outcome: Outcome
    detail: str = ""


@dataclass(slots=True)
class ProvingReport:
    """What was done. `read_bytes`: through the folder; 0 where the far store answered."""

    reader: str
    method: Method
    before: int = 0
    """Published checkpoints that were durable already."""
    read_bytes: int = 0
    proofs: list[Proof] = field(default_factory=list)


class _UnprovenError(Exception):
    """Why a checkpoint is not proven; never leaves this module."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def prove_arrival(
    store: Store,
    run: RunFiles,
    me: Identity,
    *,
    newest_only: bool = False,
    transfer: Callable[[str, int, int], Transfer] = lambda _file, _done_bytes, _total_bytes: Transfer(),
) -> ProvingReport:
    """Look at every published checkpoint that is not durable, newest of the lineage first; the receipt is written after each.

    `newest_only`: no more than the one that a resume would take. `transfer(file, done_bytes, total_bytes)` goes with each file that is
    read, in bytes of its checkpoint. Nothing that is proven already, in whoever's receipt, is read again. A store that does not answer
    raises; what was proven by then stays proven.
    """
    far = store.properties.proves_arrival and store.properties.has_ids
    method = Method.API if far else Method.READ
    report = ProvingReport(reader_id(me, method), method)
    arrived = run.arrived
    published = [c for seen in run.sessions for c in seen.session.checkpoints if c.key not in run.deleted]
    report.before = sum(c.proven or c.key in arrived for c in published)
    prover = _Prover(store, run, me, report, transfer)
    for session, listing in _unproven(run, newest_only=newest_only):
        outcome, detail = prover.prove(session, listing)
        report.proofs.append(Proof(listing.key, session.id, listing.step, outcome, detail))
        if outcome is Outcome.PROVEN:
            entry = ReceiptEntry(listing.key, listing.manifest_sha256, store.now(), method)
            listed = None if run.broken else {c.key for c in published}
            add_to_receipt(store, run.folder, report.reader, [entry], listed=listed)
    return report


def newest_unproven(run: RunFiles) -> str | None:
    """Key of the checkpoint that a resume would take, where its arrival is not proven."""
    return next((listing.key for _, listing in _unproven(run, newest_only=True)), None)


def _unproven(run: RunFiles, *, newest_only: bool) -> Iterator[tuple[Session, CheckpointListing]]:
    """Those that are only handed over: of the lineage the newest first, then of branches. None that is to go or known to be damaged."""
    sessions = {s.session.id: s.session for s in run.sessions}
    arrived = run.arrived
    bad = run.deleted | {key for s in sessions.values() for key in s.quarantined}
    line = resume_candidates(run.head, sessions.values(), deleted=run.deleted, arrived=arrived)
    every = {c.key: (sessions[c.session], c.listing) for c in line if not c.passed_over}
    if newest_only:
        every = dict(list(every.items())[:1])
    else:
        for session in sessions.values():
            every |= {c.key: (session, c) for c in reversed(session.checkpoints) if c.key not in every}
    for key, (session, listing) in every.items():
        if key not in bad and key not in arrived and not listing.proven:
            yield session, listing


@dataclass(slots=True)
class _Prover:
    store: Store
    run: RunFiles
    me: Identity
    report: ProvingReport
    transfer: Callable[[str, int, int], Transfer]
    proven: set[tuple[str, str]] | None = None
    """(name in the pool, sha256) of every file that is proven; None until it is asked for."""

    def prove(self, session: Session, listing: CheckpointListing) -> tuple[Outcome, str]:
        """Whether every byte of it is there, and if not why, in one sentence. StoreUnreachableError as it comes: silence is no verdict."""
        try:
            manifest = self._manifest(listing)
            if self.report.method is Method.READ:
                self._refuse_writers(session, manifest)
            self._files(manifest)
        except _UnprovenError as verdict:
            return verdict.outcome, verdict.detail
        except NotFoundError as error:
            return Outcome.WAITING, f"{error.key or listing.key} is not there yet"
        except ConflictError as error:
            return Outcome.WAITING, f"{error.key or listing.key} changed while it was read"
        return Outcome.PROVEN, ""

    def _manifest(self, listing: CheckpointListing) -> Manifest:
        for attempt in (1, 2):
            content = self.store.get(listing.key, store_id=listing.id)
            if hashlib.sha256(content).hexdigest() == listing.manifest_sha256:
                break
            if not content.rstrip().endswith(b"}"):
                raise _UnprovenError(Outcome.WAITING, "its manifest has come in part only")
            if attempt == 2:
                raise _UnprovenError(Outcome.DAMAGED, "its manifest is not the one that was published (read twice)")
        try:
            manifest = decode(Manifest, content, key=listing.key)
            for entry in manifest.files:
                naming.check_part(entry.pool)
        except FormatError as error:
            raise _UnprovenError(Outcome.DAMAGED, error.message) from error
        return manifest

    def _refuse_writers(self, session: Session, manifest: Manifest) -> None:
        for writer in writers_of(self.run, session, manifest):
            marks = writer.host.marks if writer is not None else ()
            why = why_not_apart(marks, self.me.marks(writer.id if writer is not None else ""))
            if why:
                raise _UnprovenError(Outcome.REFUSED, why)

    def _files(self, manifest: Manifest) -> None:
        """A file that older checkpoints share is known to be there when one of them is proven."""
        if self.proven is None:
            self.proven = self._known()
        wanted = {(f.pool, f.stored.sha256): f for f in manifest.files}
        rest = [f for pair, f in wanted.items() if pair not in self.proven]
        total, done = sum(f.stored.size_bytes for f in rest), 0
        for entry in rest:
            if self.report.method is Method.READ or not self._ask(entry):
                self._read(entry, self.transfer(entry.name, done, total))
            done += entry.stored.size_bytes
            self.proven.add((entry.pool, entry.stored.sha256))

    def _known(self) -> set[tuple[str, str]]:
        arrived = self.run.arrived
        found: set[tuple[str, str]] = set()
        for seen in self.run.sessions:
            for listing in seen.session.checkpoints:
                if (listing.proven or listing.key in arrived) and listing.key not in self.run.deleted:
                    try:
                        manifest = read_manifest(self.store, listing.key, store_id=listing.id)
                    except (NotFoundError, FormatError):
                        continue  # then its files are looked at once more
                    found |= {(f.pool, f.stored.sha256) for f in manifest.files}
        return found

    def _ask(self, entry: FileEntry) -> bool:
        """False where the store answers with a hash that the manifest has not got: then only reading tells."""
        info = self.store.checksum(naming.pool_file(self.run.folder, entry.pool), store_id=entry.id)
        if info.size_bytes < entry.stored.size_bytes:
            raise _UnprovenError(Outcome.WAITING, _short(entry, info.size_bytes))
        stored = entry.stored
        same = compare(info, size_bytes=stored.size_bytes, sha256=stored.sha256, md5=stored.md5)
        if same is None and not info.md5:
            raise _UnprovenError(Outcome.WAITING, f"{entry.name}: the store gives no checksum of it yet")
        if same is False:
            raise _UnprovenError(Outcome.DAMAGED, f"{entry.name}: the store's size or checksum differs")
        return same is True

    def _read(self, entry: FileEntry, transfer: Transfer) -> None:
        for _ in range(2):
            sink = HashSink()
            self.store.fetch(naming.pool_file(self.run.folder, entry.pool), sink, store_id=entry.id, transfer=transfer)
            self.report.read_bytes += sink.size_bytes
            if sink.size_bytes < entry.stored.size_bytes:
                raise _UnprovenError(Outcome.WAITING, _short(entry, sink.size_bytes))
            if sink.size_bytes == entry.stored.size_bytes and sink.sha256.hexdigest() == entry.stored.sha256:
                return
        raise _UnprovenError(Outcome.DAMAGED, f"{entry.name}: its bytes have another sha256 (read twice)")


def writers_of(run: RunFiles, session: Session, manifest: Manifest) -> list[Session | None]:
    """The sessions that may have sent the files of a checkpoint: its own and, for files older than its own first step, those that it
    continued from. None stands for one whose file is not here.
    """
    oldest = min((_first_step(f.pool) for f in manifest.files), default=manifest.step)
    found: list[Session | None] = [session]
    record = session.resumed_from
    while record is not None and oldest <= record.step:
        seen = run.session(record.session)
        before = seen.session if seen is not None else None
        if before in found:
            break
        found.append(before)
        record = before.resumed_from if before is not None else None
    return found


def _first_step(pool: str) -> int:
    number = pool.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def _short(entry: FileEntry, size_bytes: int) -> str:
    return f"{entry.name}: {size_bytes:,} of {entry.stored.size_bytes:,} bytes have come"
