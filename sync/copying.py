"""Copies a whole root from one store into another: everything once, nothing twice, every object checked by the target's own checksum.

What is immutable goes first, what refers to it after it, sessions and heads last and as they stood at the start: stopped anywhere,
the target holds a smaller whole, and the next copy goes on from there. Receipts stay behind: they prove arrival on the first store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import CorruptCheckpointError, FormatError, NotFoundError, NotOurFolderError, StoreError
from batonpass.core.files import Digest, hash_bytes, hash_file
from batonpass.core.manifest_file import decode_manifest, seal_again
from batonpass.core.storage import ABSENT, ObjectInfo, Store, Transfer
from batonpass.sync.copy_plan import CopyPlan, plan_copy, refuse_if_ahead
from batonpass.sync.proof import compare
from batonpass.sync.reading import read_root
from batonpass.sync.relocation import relocated
from batonpass.sync.root import require_empty


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did. Copying again at once makes `copied` 0."""

    root_id: str
    copied: int
    """Objects that were sent."""
    same: int
    """Objects that were there already, byte for byte."""
    size_bytes: int
    """Sum of the objects sent."""
    kept: tuple[str, ...]
    """Keys whose newer edit on the target was left alone (titles, tags, accounts)."""
    missing: tuple[str, ...]
    """Keys that a session or a manifest names and the source does not have."""


def copy_root(
    source: Store,
    target: Store,
    *,
    progress: Callable[[int, int, str], None] = lambda _done_bytes, _total_bytes, _key: None,
    scratch: Path | None = None,
) -> CopyReport:
    """Make `target` hold everything that `source` holds. Idempotent; safe to stop; the source may be in use.

    The copy names no ids, owners or proofs of the first store (`sync.relocation`); all other bytes are equal. `progress` is told
    bytes done, bytes in all and the key in hand. `scratch` is a folder with room for the largest object (default: the system's).

    NotFoundError: the source holds no root. NotOurFolderError: the target holds another root, or somebody else's files.
    ConflictError: a run went on over there. StoreError: something arrived changed, twice.
    """
    root = read_root(source)
    _join(source, target, root.root_id)
    plan = plan_copy(source)
    refuse_if_ahead(target, plan)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="batonpass-copy-") as folder:
        work = _Copy(source, target, plan.size_bytes, progress, Path(folder) / "object")
        work.do(plan)
    return CopyReport(
        root.root_id, work.copied, work.same, work.size_bytes, tuple(work.kept), tuple(sorted({*plan.missing}))
    )


def _join(source: Store, target: Store, root_id: str) -> None:
    """The target's root is this root, from before or from now on."""
    try:
        there = read_root(target)
    except NotFoundError:
        require_empty(target)
        target.put(naming.ROOT_FILE, source.get(naming.ROOT_FILE), expect=ABSENT)
        there = read_root(target)
    if there.root_id != root_id:
        raise NotOurFolderError(
            f"{target.url} holds the root {there.root_id}, and {source.url} holds {root_id}: two roots cannot be one",
            op="copy",
            key=naming.ROOT_FILE,
            hint=f"name an empty or new place, such as {target.url.rstrip('/')}-copy",
        )


@dataclass(slots=True)
class _Copy:
    source: Store
    target: Store
    total_bytes: int
    progress: Callable[[int, int, str], None]
    scratch: Path
    done_bytes: int = 0
    copied: int = 0
    same: int = 0
    size_bytes: int = 0
    kept: list[str] = field(default_factory=list)
    held: dict[str, ObjectInfo] = field(default_factory=dict)
    """What the target says of the files that were compared with the source's."""
    manifests: dict[str, str] = field(default_factory=dict)
    """sha256 of each manifest on the source -> on the target."""
    arrived: set[str] = field(default_factory=set)
    """sha256, on the source, of those whose every file the target has."""

    def do(self, plan: CopyPlan) -> None:
        """Carry out a plan, in its order."""
        for info in plan.files:
            self._copy_file(info)
            self._pass(info.key, info.size_bytes)
        for key, body in plan.manifests.items():
            moved = seal_again(self._relocated(key, body), body)
            before = hash_bytes(body).sha256
            self.manifests[before] = hash_bytes(moved).sha256
            self._copy_bytes(key, moved)
            if self._has_arrived(key, moved):
                self.arrived.add(before)
            self._pass(key, len(body))
        for info in plan.edited:
            self._copy_edited(info)
            self._pass(info.key, info.size_bytes)
        for key, body in plan.sessions.items():
            self._copy_bytes(key, self._relocated(key, body, heard_at=plan.heard_at[key]))
            self._pass(key, len(body))
        for key, body in plan.heads.items():
            self._copy_bytes(key, self._relocated(key, body))
            self._pass(key, len(body))

    def _relocated(self, key: str, body: bytes, *, heard_at: datetime | None = None) -> bytes:
        try:
            return relocated(
                key,
                body,
                manifests=self.manifests,
                arrived=self.arrived,
                heard_at=heard_at,
                proves_arrival=self.target.properties.proves_arrival,
            )
        except FormatError:
            return body  # damaged on the source: it goes as it is, and its readers will say so

    def _has_arrived(self, key: str, manifest: bytes) -> bool:
        """Whether the target has every file of it, by its own word about their bytes."""
        folder = key.partition("checkpoints/")[0]
        try:
            files = decode_manifest(manifest, key=key).files
            found = [(self.held.get(naming.pool_file(folder, entry.pool)), entry.stored) for entry in files]
        except (CorruptCheckpointError, FormatError):
            return False
        return all(
            info is not None and compare(info, size_bytes=promised.size_bytes, sha256=promised.sha256, md5=promised.md5)
            for info, promised in found
        )

    def _copy_file(self, info: ObjectInfo) -> None:
        wanted = self.source.checksum(info.key, store_id=info.id)
        there = self._on_target(info.key)
        if there is not None and _same(there, wanted):
            self.same += 1
            self.held[info.key] = there
            return
        for attempt in (1, 2):
            digest = self._fetch(info)
            if _same(wanted, digest):
                break
            if attempt == 2:
                raise StoreError(f"{info.key} did not come whole from {self.source.url}", op="copy", key=info.key)
        if there is not None and _same(there, digest):  # the two stores name hashes of different kinds
            self.same += 1
            self.held[info.key] = there
            return
        transfer = Transfer(
            on_progress=lambda sent, _: self.progress(self.done_bytes + sent, self.total_bytes, info.key)
        )
        self.held[info.key] = self._send(info.key, self.scratch, digest, transfer)

    def _copy_edited(self, info: ObjectInfo) -> None:
        """What people edit on both sides: the later edit stays."""
        there = self._on_target(info.key)
        body = self.source.get(info.key, store_id=info.id)
        if there is not None and not _same(there, hash_bytes(body)) and there.modified > info.modified:
            self.kept.append(info.key)
            return
        self._copy_bytes(info.key, body)

    def _copy_bytes(self, key: str, body: bytes) -> None:
        digest = hash_bytes(body)
        there = self._on_target(key)
        if there is not None and _same(there, digest):
            self.same += 1
        else:
            self._send(key, body, digest, None)

    def _fetch(self, info: ObjectInfo) -> Digest:
        with self.scratch.open("wb") as file:
            self.source.fetch(info.key, file, store_id=info.id)
        return hash_file(self.scratch)

    def _send(self, key: str, body: bytes | Path, digest: Digest, transfer: Transfer | None) -> ObjectInfo:
        for attempt in (1, 2):
            self.target.put(key, body, transfer=transfer)
            there = self.target.checksum(key)
            if _same(there, digest):
                break
            if attempt == 2:
                raise StoreError(
                    f"{key} did not arrive whole on {self.target.url}",
                    op="copy",
                    key=key,
                    hint="copy again; it goes on here",
                )
        self.copied += 1
        self.size_bytes += digest.size_bytes
        return there

    def _on_target(self, key: str) -> ObjectInfo | None:
        try:
            return self.target.checksum(key)
        except NotFoundError:
            return None

    def _pass(self, key: str, planned_bytes: int) -> None:
        self.done_bytes += planned_bytes
        self.progress(self.done_bytes, self.total_bytes, key)


def _same(one: ObjectInfo | Digest, other: ObjectInfo | Digest) -> bool:
    """Equal sizes, and equal hashes of each kind that both name, at least one."""
    pairs = [(a, b) for a, b in ((one.sha256, other.sha256), (one.md5, other.md5)) if a and b]
    return one.size_bytes == other.size_bytes and bool(pairs) and all(a == b for a, b in pairs)
