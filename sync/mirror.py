"""Brings committed checkpoints to the store: files first, each verified by the store's own answer, then the manifest, then all of
them once more. What it returns may be listed in the session's file; listing is what makes it durable.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import ConflictError, StoppedError, StoreError, StoreThrottledError
from batonpass.core.files import hash_file
from batonpass.core.manifest_file import encode_manifest
from batonpass.core.model import CheckpointListing, FileEntry, Manifest
from batonpass.core.model.run import FORMAT, PACKED_FORMAT
from batonpass.core.progress import Progress
from batonpass.core.storage import ObjectInfo, Store, Transfer
from batonpass.sync.crew import Crew
from batonpass.sync.journal import Artifact, Journal, State
from batonpass.sync.packing import clear_packed, is_begun, is_packable, pack_file
from batonpass.sync.proof import prove


class Mirror:
    """Sends the checkpoints of one run from this machine, several files at once where the store gains by it. Used by one thread at
    a time.
    """

    def __init__(
        self,
        store: Store,
        folder: str,
        journal: Journal,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        compress: bool = False,
    ) -> None:
        """`should_stop` ends what is being sent with StoppedError. `compress`: safetensors files are packed before they are sent."""
        self._store = store
        self._folder = folder
        self._journal = journal
        self._should_stop = should_stop
        self._compress = compress
        self._pool: dict[str, FileEntry] = {}
        self._crew = Crew(store.properties.streams)
        self._counting = threading.Lock()
        self.progress = Progress()
        self.on_progress: Callable[[], None] = lambda: None
        self.on_file: Callable[[], None] = lambda: None
        """Called when a whole file has been proven."""
        self._kept: dict[str, int] = {}
        self.gains = 0
        """Grows whenever the store says that it has more of what is being sent."""

    @property
    def helpers_cpu_s(self) -> float:
        """Processor time that transfers beside the calling thread have used so far, in seconds."""
        return self._crew.helpers_cpu_s

    def close(self) -> None:
        """Let go of the threads."""
        self._crew.close()

    def knows(self, manifest: Manifest) -> None:
        """The files of a manifest that lies on the store: equal bytes are not sent again."""
        for entry in manifest.files:
            if entry.pool:
                self._pool[entry.sha256] = entry

    def send(self, directory: Path, manifest: Manifest) -> CheckpointListing:
        """Send one committed checkpoint; returns how to list it. Calling it again continues where it stopped.

        StoreError when the store refuses or does not answer, StoppedError when asked to stop.
        """
        self.progress.begin(sum(entry.size_bytes for entry in manifest.files))
        try:
            entries = tuple(self._crew.each(lambda entry: self._send_file(directory, manifest, entry), manifest.files))
        finally:
            self.progress.end()
        is_packed = any(entry.packed for entry in entries)
        placed = replace(manifest, files=entries, format=PACKED_FORMAT if is_packed else FORMAT)
        key = naming.manifest_file(self._folder, manifest.step, manifest.session, manifest.attempt)
        content = encode_manifest(placed)
        info = self._put_manifest(key, content)
        self._crew.each(self._check_again, entries)
        self.knows(placed)
        clear_packed(directory)
        return CheckpointListing(
            key=key,
            step=manifest.step,
            attempt=manifest.attempt,
            epoch=manifest.epoch,
            created_at=manifest.created_at,
            published_at=datetime.now(UTC),
            size_bytes=placed.stored_size_bytes,
            manifest_sha256=hashlib.sha256(content).hexdigest(),
            metric_rows=manifest.metric_rows,
            trained_s=manifest.trained_s,
            proven=self._store.properties.proves_arrival,
            missing=manifest.missing,
            metrics=manifest.metrics,
            parent=manifest.parent,
            id=info.id,
            owner=info.owner,
            plain_size_bytes=placed.size_bytes if is_packed else None,
        )

    def published(self, listing: CheckpointListing, manifest: Manifest) -> None:
        """The session's file now lists it: remember that, and forget what only sending needed."""
        self._kept.clear()
        for entry in manifest.files:
            known = self._pool.get(entry.sha256)
            if known is not None:
                self._journal.put(
                    Artifact(
                        naming.pool_file(self._folder, known.pool),
                        known.stored.sha256,
                        known.stored.size_bytes,
                        State.PUBLISHED,
                        known.id,
                    )
                )
        self._journal.put(Artifact(listing.key, listing.manifest_sha256, 0, State.PUBLISHED, listing.id))

    def _send_file(self, directory: Path, manifest: Manifest, entry: FileEntry) -> FileEntry:
        sent = self._send_once(directory, manifest, entry)
        self.progress.done(entry.name, sent.stored.size_bytes)
        self._note_kept(sent.pool, sent.stored.size_bytes)
        self.on_file()
        return sent

    def _note_kept(self, pool: str, kept_bytes: int) -> None:
        """The store has so much of this file; more than before is getting on."""
        with self._counting:
            if kept_bytes > self._kept.get(pool, 0):
                self._kept[pool] = kept_bytes
                self.gains += 1

    def _send_once(self, directory: Path, manifest: Manifest, entry: FileEntry) -> FileEntry:
        known = self._pool.get(entry.sha256)
        if known is not None and not known.packed:  # a store that answers with an md5 alone must be understood
            known = self._with_md5(directory, replace(known, name=entry.name, md5=known.md5 or entry.md5))
        if known is not None and (there := self._look(known)):
            self.progress.less(entry.size_bytes - known.stored.size_bytes)
            return replace(known, name=entry.name, md5=known.md5 or entry.md5, owner=there.owner)
        path, ready = self._make_ready(directory, manifest, entry)
        stored = ready.stored
        self.progress.less(entry.size_bytes - stored.size_bytes)
        pool = naming.pool_name(manifest.step, entry.name, stored.sha256, is_packed=ready.packed is not None)
        key = naming.pool_file(self._folder, pool)
        started = self._journal.get(key)
        if started is None or started.sha256 != stored.sha256:
            ids = self._store.new_ids(1)
            started = Artifact(key, stored.sha256, stored.size_bytes, State.SNAPSHOT, ids[0] if ids else None)
            self._journal.put(started)
        placed = replace(ready, pool=pool, id=started.store_id)
        if started.state is not State.SNAPSHOT and (there := self._look(placed)):
            return replace(placed, owner=there.owner)
        placed = replace(placed, id=self._upload(entry.name, path, started))
        there = self._look(placed)
        if there is None:
            self._journal.forget(key)
            raise ConflictError(
                f"the store holds other bytes than were sent for {entry.name}",
                op="verify",
                key=key,
                hint="it is sent again",
            )
        state = State.VERIFIED if self._store.properties.proves_arrival else State.HANDED_OVER
        self._journal.put(replace(started, state=state, store_id=placed.id, token=None))
        return replace(placed, owner=there.owner)

    def _make_ready(self, directory: Path, manifest: Manifest, entry: FileEntry) -> tuple[Path, FileEntry]:
        """What is sent for a file: its packed form, or the file itself. What was begun in one form is finished in that form."""
        plain = replace(entry, pool="", id=None, owner=None, packed=None)
        if is_packable(entry) and (self._compress or is_begun(directory, entry)):
            key = naming.pool_file(self._folder, naming.pool_name(manifest.step, entry.name, entry.sha256))
            begun = self._journal.get(key)
            if begun is None or begun.sha256 != entry.sha256 or begun.state is State.SNAPSHOT:
                md5 = self._store.properties.may_answer_md5_only
                packed = pack_file(directory, plain, md5=md5, go_on=lambda: self._go_on(entry.name, key))
                if packed is not None:
                    return packed
        return directory / entry.name, self._with_md5(directory, plain)

    def _with_md5(self, directory: Path, entry: FileEntry) -> FileEntry:
        if entry.md5 or not self._store.properties.may_answer_md5_only:
            return entry
        return replace(entry, md5=hash_file(directory / entry.name).md5)

    def _go_on(self, name: str, key: str) -> None:
        if self._should_stop():
            raise StoppedError(f"stopped before {name} was sent", op="put", key=key)

    def _upload(self, name: str, path: Path, artifact: Artifact) -> str | None:
        sending = replace(artifact, state=State.SENDING)

        def remember(token: str | None) -> None:
            nonlocal sending
            sending = replace(sending, token=token)
            self._journal.put(sending)

        def progress(sent_bytes: int, total_bytes: int) -> None:
            self.progress.tell(name, sent_bytes, total_bytes)
            self.on_progress()

        self._go_on(name, artifact.key)
        self._journal.put(sending)
        transfer = Transfer(
            token=artifact.token,
            on_token=remember,
            on_progress=progress,
            on_kept=lambda kept_bytes: self._note_kept(artifact.key.rpartition("/")[2], kept_bytes),
            on_failure=self._slow_down_if_asked,
            should_stop=self._should_stop,
        )
        try:
            info = self._store.put(artifact.key, path, store_id=artifact.store_id, transfer=transfer)
        except StoreThrottledError as error:
            self._slow_down_if_asked(error)
            raise
        self._journal.put(replace(sending, state=State.COMMITTED, store_id=info.id, token=None))
        return info.id

    def _slow_down_if_asked(self, error: StoreError) -> None:
        if isinstance(error, StoreThrottledError):
            self._crew.slow_down()

    def _put_manifest(self, key: str, content: bytes) -> ObjectInfo:
        started = self._journal.get(key)
        sha256 = hashlib.sha256(content).hexdigest()
        if started is None:
            ids = self._store.new_ids(1)
            started = Artifact(key, sha256, len(content), State.SNAPSHOT, ids[0] if ids else None)
            self._journal.put(started)
        info = self._store.put(key, content, store_id=started.store_id)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        there = prove(self._store, key, size_bytes=len(content), sha256=sha256, md5=md5, store_id=info.id)
        if there is None:
            raise ConflictError(
                "the manifest on the store is not the one that was sent", op="verify", key=key, hint="it is sent again"
            )
        self._journal.put(replace(started, state=State.VERIFIED, store_id=info.id))
        return there

    def _look(self, entry: FileEntry) -> ObjectInfo | None:
        """The store's answer about a pool file, if it holds exactly these bytes."""
        key, stored = naming.pool_file(self._folder, entry.pool), entry.stored
        return prove(
            self._store, key, size_bytes=stored.size_bytes, sha256=stored.sha256, md5=stored.md5, store_id=entry.id
        )

    def _check_again(self, entry: FileEntry) -> None:
        """After the manifest: a prune may have removed a shared file in between. Size is enough, the bytes were proven before."""
        key = naming.pool_file(self._folder, entry.pool)
        if self._store.stat(key, store_id=entry.id).size_bytes != entry.stored.size_bytes:
            self._pool.pop(entry.sha256, None)
            raise ConflictError(
                f"{entry.name} changed on the store after it was verified",
                op="verify",
                key=key,
                hint="it is sent again",
            )
