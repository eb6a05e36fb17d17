"""Revisions: each content is one. The head and the pinned ones (v3: keepForever) count against the quota; a hundred are kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from drive_emulator.answers import Answer, DriveError, as_json
from drive_emulator.fields import select

if TYPE_CHECKING:
    from drive_emulator.accounts import Grant
    from drive_emulator.exchange import Exchange
    from drive_emulator.storage import Blob, File, Storage

MOST = 100
CONTENT_BYTES = 1 << 20
"""Older contents that are larger are gone at once, so that a test that replaces a large file does not fill the disk."""


@dataclass
class Revision:
    blob: Blob
    modified: datetime
    original_name: str = ""
    pinned: bool = False
    id: str = field(default_factory=lambda: "0B" + secrets.token_urlsafe(18))


def add(file: File, blob: Blob, modified: datetime, original_name: str | None) -> None:
    """The file's new content. What it had becomes an older revision, whose original name is inherited where none is given."""
    older = file.revisions[-1].original_name if file.revisions else file.title
    if file.revisions and file.blob is not None:
        file.revisions[-1].blob = file.blob  # a fault may have changed its checksums
        if file.blob.size > CONTENT_BYTES and not file.revisions[-1].pinned:
            file.blob.path.unlink()
    file.revisions.append(Revision(blob, modified, older if original_name is None else original_name))
    file.blob = blob
    while len(file.revisions) > MOST:
        file.revisions.pop(0).blob.path.unlink(missing_ok=True)


def bytes_used(file: File) -> int:
    """What the file costs its owner."""
    head = file.blob.size if file.blob else 0
    return head + sum(r.blob.size for r in file.revisions[:-1] if r.pinned)


def content_of(file: File, revision_id: str) -> Blob:
    """An older content, or the newest one."""
    if file.revisions and revision_id == file.revisions[-1].id and file.blob is not None:
        return file.blob
    found = _find(file, revision_id).blob
    if not found.path.exists():
        raise _missing(revision_id)
    return found


def listing(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        items = [_words(exchange, r, file.mime_type) for r in file.revisions]
    name = "revisions" if exchange.version == 3 else "items"
    return as_json(select({"kind": "drive#revisionList", name: items}, exchange.query.get("fields")))


def change(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    """Pins a revision, or lets go of it."""
    body = exchange.json()
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        storage.check_writer(grant, file)
        revision = _find(file, exchange.part(5))
        pinned = bool(body.get("keepForever", body.get("pinned", revision.pinned)))
        if pinned and revision is not file.revisions[-1]:
            storage.check_space(file.owner, 0 if revision.pinned else revision.blob.size)
        revision.pinned = pinned
        return as_json(select(_words(exchange, revision, file.mime_type), exchange.query.get("fields")))


def _find(file: File, revision_id: str) -> Revision:
    for revision in file.revisions:
        if revision.id == revision_id:
            return revision
    raise _missing(revision_id)


def _missing(revision_id: str) -> DriveError:
    return DriveError(404, "notFound", f"Revision not found: {revision_id}")


def _words(exchange: Exchange, revision: Revision, mime_type: str) -> dict[str, Any]:
    when = revision.modified.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    common = {
        "kind": "drive#revision",
        "id": revision.id,
        "mimeType": mime_type,
        "originalFilename": revision.original_name,
    }
    size, md5 = str(revision.blob.size), revision.blob.md5
    if exchange.version == 3:
        return common | {"modifiedTime": when, "keepForever": revision.pinned, "size": size, "md5Checksum": md5}
    return common | {"modifiedDate": when, "pinned": revision.pinned, "fileSize": size, "md5Checksum": md5}
