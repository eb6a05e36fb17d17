"""Builds a small whole root on a store: one run, two sessions, two checkpoints, a metric segment, notes and an account."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.files import CHUNK_BYTES, hash_bytes
from batonpass.core.model import (
    Account,
    Annotations,
    CheckpointListing,
    FileEntry,
    Head,
    Host,
    Manifest,
    RunInfo,
    Segment,
    Session,
)
from batonpass.core.storage import Store
from batonpass.sync.root import open_root

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FOLDER = naming.run_folder("cats", "1f2e3d4c")
FIRST, SECOND = "20261123t080000-aaaaaa", "20261123t090000-bbbbbb"
BIG = bytes(range(256)) * (CHUNK_BYTES // 256) + b"tail"


def put_with_id(store: Store, key: str, body: bytes) -> str | None:
    """Write an object; its id where the store has ids."""
    return store.put(key, body).id


def add_checkpoint(store: Store, session: str, step: int, body: bytes) -> CheckpointListing:
    """A checkpoint of one file."""
    digest = hash_bytes(body)
    pool = naming.pool_name(step, "model.safetensors", digest.sha256)
    file_id = put_with_id(store, naming.pool_file(FOLDER, pool), body)
    entry = FileEntry("model.safetensors", pool, digest.size_bytes, digest.sha256, digest.md5, file_id)
    manifest = encode(Manifest("1f2e3d4c", session, 0, step, 1.5, AT, (entry,)))
    key = naming.manifest_file(FOLDER, step, session, 0)
    manifest_id = put_with_id(store, key, manifest)
    return CheckpointListing(
        key=key,
        step=step,
        attempt=0,
        epoch=1.5,
        created_at=AT,
        published_at=AT,
        size_bytes=len(body),
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        metric_rows=step,
        trained_s=1.0,
        proven=True,
        id=manifest_id,
        owner="me" if manifest_id else None,
    )


def add_session(store: Store, session_id: str, *checkpoints: CheckpointListing, segments: tuple[Segment, ...] = ()):
    """A session's file, and its name in the head."""
    host = Host("other", "machine", "1-2")
    record = Session(session_id, "1f2e3d4c", 1, "school", host, AT, AT, checkpoints=checkpoints, segments=segments)
    session_store_id = put_with_id(store, naming.session_file(FOLDER, session_id), encode(record))
    key = naming.head_file(FOLDER)
    known = [info.key for info in store.list_objects(FOLDER)]
    head = decode(Head, store.get(key), key=key) if key in known else Head(1, None, "n")
    ids = {**head.session_ids, **({session_id: session_store_id} if session_store_id else {})}
    store.put(key, encode(replace(head, holder=session_id, sessions=(*head.sessions, session_id), session_ids=ids)))


def build_root(store: Store) -> str:
    """The whole root; returns its id."""
    root = open_root(store, create=True)
    store.put(naming.run_file(FOLDER), encode(RunInfo("1f2e3d4c", "cats", "cats", AT, FIRST)))
    store.put(naming.annotations_file(FOLDER), encode(Annotations(title="Cats")))
    store.put(naming.account_file("school"), encode(Account("school")))
    store.put(f"{naming.notes_folder(FOLDER)}n1.json", b"{}")
    digest = hash_bytes(b"PAR1")
    key = naming.segment_file(FOLDER, FIRST, 0)
    segment = Segment(key, 0, 10, 4, digest.sha256, digest.md5, put_with_id(store, key, b"PAR1"))
    add_session(store, FIRST, add_checkpoint(store, FIRST, 100, BIG), segments=(segment,))
    add_session(store, SECOND, add_checkpoint(store, SECOND, 200, b"other weights"))
    store.put(naming.receipt_file(FOLDER, "laptop"), b"{}")
    return root.root_id
