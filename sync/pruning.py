"""Carries out retention for the session that holds the run: by the plan of `core.retention`, manifests first, files later.

A checkpoint that goes is first taken off its list (its own session's file, or a deletions file where another session listed it), then
its manifest is removed, and its files only after a grace period and after all sessions were read again: a session that resumes writes
`resumed_from` before it reads, so a checkpoint in use is seen in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.errors import NotFoundError
from batonpass.core.model import CheckpointListing, Deletion, Deletions, Session
from batonpass.core.retention import Policy, RetentionPlan, Verdict, plan_retention
from batonpass.core.storage import Store
from batonpass.sync.reading import RunFiles, read_manifest, read_run
from batonpass.sync.session import SessionWriter

GRACE = timedelta(minutes=5)
"""From manifest to files, by the store's clock, where the store answers for itself. A day would be safer and fill a free Drive: at one
checkpoint of 250 MB a minute it holds an hour's worth. Seconds are enough for what it guards against: a session that chose a checkpoint
and has not said so yet."""
MOUNT_GRACE = timedelta(hours=1)
"""The same on a mounted Drive, whose views may be old."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays on the store: the last few, and the best by a metric ("loss:min", "accuracy:max")."""

    last: int = 3
    best: str | None = None

    def policy(self) -> Policy:
        """The same as `core.retention` has it."""
        name, _, direction = (self.best or "").partition(":")
        return Policy(keep_last=self.last, best_by=name or None, best_is_low=direction != "max")


class Pruner:
    """Retention of one run, carried out by the session of `writer`, or where nobody holds the run by an app (`by`). Used by one
    thread at a time.
    """

    def __init__(self, store: Store, folder: str, writer: SessionWriter | None, keep: Keep, *, by: str = "") -> None:
        self._store = store
        self._folder = folder
        self._writer = writer
        self._by = writer.record.id if writer else by
        self._policy = keep.policy()
        self._files: dict[str, tuple[str, ...]] = {}
        """Manifest key -> names in the pool; manifests never change."""

    def plan(self, run: RunFiles) -> RetentionPlan:
        """What would stay and go now."""
        asked = [e.key for d in run.deletions if d.by != self._by for e in d.entries if not e.removed]
        done = {e.key for d in run.deletions for e in d.entries if e.removed}
        sessions = [_without(session, done) for session in self._sessions(run)]
        now = self._store.now()
        return plan_retention(run.head, sessions, self._policy, now=now, asked=asked, arrived=run.arrived)

    def prune(self) -> int:
        """Remove what the plan says; returns how many checkpoints went. Any StoreError leaves a state that the next call continues."""
        run = read_run(self._store, self._folder)
        remove = self.plan(run).remove
        now = self._store.now()
        mine = next((d for d in run.deletions if d.by == self._by), Deletions(self._by))
        fresh = tuple(self._taken_up(remove, now))
        if fresh:
            mine = replace(mine, entries=(*mine.entries, *fresh))
            self._write(mine)
            if self._writer is not None:
                self._writer.drop_checkpoints({v.listing.key for v in remove if v.session == self._by})
                self._writer.publish()
            for entry in fresh:
                self._store.delete(entry.key)
        self._remove_files(mine, now)
        return len(fresh)

    def _taken_up(self, remove: Iterable[Verdict], now: datetime) -> Iterable[Deletion]:
        """What is removed now: the plan, and nothing of it whose manifest cannot be read here (its files would be forgotten)."""
        for verdict in remove:
            try:
                files = self._files_of(verdict.listing)
            except NotFoundError:
                continue
            yield Deletion(verdict.listing.key, now, removed=True, files=files)

    def _remove_files(self, mine: Deletions, now: datetime) -> None:
        """Files of checkpoints that went long enough ago and that no living checkpoint names."""
        grace = GRACE if self._store.properties.proves_arrival else MOUNT_GRACE
        run = read_run(self._store, self._folder)
        others = [e for d in run.deletions if d.by != self._by for e in d.entries if e.removed and e.files]
        mine_done = {e.key for e in mine.entries if not e.files}
        due = [e for e in (*mine.entries, *others) if e.files and now - e.at >= grace and e.key not in mine_done]
        if not due or run.broken:
            return  # a session that cannot be read may name any of them
        try:
            named = self._named(run)
        except NotFoundError:
            return  # a manifest that is listed has not arrived here: nothing is guessed
        for entry in due:
            self._store.delete(entry.key)  # again: whoever took it up may have died before
        for pool in sorted({name for entry in due for name in entry.files} - named):
            self._store.delete(naming.pool_file(self._folder, pool))
        self._write(replace(mine, entries=tuple(_what_remains(mine, due, others, run))))

    def _named(self, run: RunFiles) -> set[str]:
        """Names of every pool file that a living checkpoint, or one that is being restored, needs."""
        sessions = self._sessions(run)
        in_use = {s.resumed_from.checkpoint for s in sessions if s.resumed_from and not s.checkpoints}
        gone = {e.key for d in run.deletions for e in d.entries if e.removed}
        pools = {pool for s in sessions for c in s.checkpoints if c.key not in gone for pool in self._files_of(c)}
        pending = [e for d in run.deletions for e in d.entries if e.key in in_use]
        return pools | {pool for entry in pending for pool in entry.files}

    def _sessions(self, run: RunFiles) -> list[Session]:
        """All sessions, the writer's own as it is here and now."""
        me = self._writer.record if self._writer else None
        return [me if me and s.session.id == me.id else s.session for s in run.sessions]

    def _files_of(self, listing: CheckpointListing) -> tuple[str, ...]:
        """Names in the pool. NotFoundError where the manifest has not arrived."""
        if listing.key not in self._files:
            manifest = read_manifest(self._store, listing.key, store_id=listing.id)
            self._files[listing.key] = tuple(dict.fromkeys(entry.pool for entry in manifest.files))
        return self._files[listing.key]

    def _write(self, deletions: Deletions) -> None:
        self._store.put(naming.deletions_file(self._folder, deletions.by), encode(deletions))


def _what_remains(mine: Deletions, due: list[Deletion], others: list[Deletion], run: RunFiles) -> Iterable[Deletion]:
    """Entries whose files are gone stay as long as somebody's file goes on naming the checkpoint."""
    named = {c.key for s in run.sessions for c in s.session.checkpoints} | {e.key for e in others}
    gone = {e.key for e in due}
    keys = {e.key for e in mine.entries}
    for entry in (*mine.entries, *(e for e in due if e.key not in keys)):
        done = replace(entry, files=()) if entry.key in gone else entry
        if done.files or done.key in named:
            yield done


def _without(session: Session, keys: Iterable[str]) -> Session:
    gone = set(keys)
    return replace(session, checkpoints=tuple(c for c in session.checkpoints if c.key not in gone))
