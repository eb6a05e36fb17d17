"""Ships what a dead kernel left behind on this machine: its metric rows, its newest checkpoint, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from batonpass.core.errors import BatonpassError, NotFoundError
from batonpass.core.metrics.log import MetricLog
from batonpass.core.model import End, EndKind, Head, Manifest, Session
from batonpass.core.states import PARTED_DETAIL
from batonpass.core.storage import Store
from batonpass.sync.handover import give_way
from batonpass.sync.local import LocalSession, abandoned_sessions
from batonpass.sync.machine import process_lives
from batonpass.sync.mirror import Mirror
from batonpass.sync.reading import read_head, read_session
from batonpass.sync.session import SessionWriter


def ship_leftovers(
    store: Store, folder: str, home: Path, *, root_id: str, run_id: str, mirror: Mirror, say: Callable[[str], None]
) -> list[LocalSession]:
    """Ship every abandoned session of this run on this machine through `mirror`, which is closed; returns those that are still here, oldest first.

    One that cannot be shipped now is said so and kept, and the start goes on. One whose session file never reached the store stays
    local, unless there is nothing in it.
    """
    kept = []
    for local, lock in abandoned_sessions(home, root_id, run_id):
        try:
            head, _ = read_head(store, folder)
            _ship(store, folder, local, mirror, say, head=head)
            local.note_shipped()
        except NotFoundError:
            if local.is_empty:
                _remove(local, lock)
                continue
            say(
                f"batonpass: session {local.session} on this machine never reached {store.url}; its files stay in {local.path}"
            )
        except (BatonpassError, OSError, ValueError) as error:
            reason = error.message if isinstance(error, BatonpassError) else str(error)
            say(f"batonpass: what session {local.session} left on this machine could not be sent yet: {reason}")
        finally:
            lock.release()
        kept.append(local)
    mirror.close()
    return kept


def remove_superseded(home: Path, *, root_id: str, run_id: str) -> None:
    """Forget the abandoned sessions of this run on this machine: a newer session has a durable checkpoint of its own. Those that
    have not been shipped stay: their metric rows are nowhere else.
    """
    for local, lock in abandoned_sessions(home, root_id, run_id):
        if local.is_shipped:
            _remove(local, lock)
        else:
            lock.release()


def newest_local(local: LocalSession, record: Session) -> tuple[Path, Manifest] | None:
    """The session's newest committed checkpoint on this disk, if it is newer than every published one."""
    committed = local.committed()
    if not committed:
        return None
    path, manifest = committed[-1]
    published = max((c.metric_rows, c.step) for c in record.checkpoints) if record.checkpoints else (-1, -1)
    return (path, manifest) if (manifest.metric_rows, manifest.step) > published else None


def _ship(
    store: Store, folder: str, local: LocalSession, mirror: Mirror, say: Callable[[str], None], *, head: Head
) -> None:
    """We hold the session's lock, so nobody writes its file, even where the process that trained lives on."""
    seen = read_session(store, folder, local.session, store_id=head.session_ids.get(local.session))
    record, store_id = seen.session, seen.info.id
    log = MetricLog(local.metrics)
    try:
        writer = SessionWriter(store, folder, record, log.read, store_id=store_id)
        writer.change(alive=False, end=record.end or _how_it_ended(record), rows=log.rows)
        fresh = newest_local(local, record)
        unnamed = local.session not in head.sessions and not local.is_empty
        if fresh is None and record.end is not None and log.rows == record.rows and not unnamed:
            return
        if fresh is not None:
            directory, manifest = fresh
            writer.add_checkpoint(mirror.send(directory, manifest))
            last = writer.record
            writer.change(step=max(last.step, manifest.step), trained_s=max(last.trained_s, manifest.trained_s))
        if unnamed:  # it died in a head that does not count
            give_way(store, folder, head, writer, store_id=store_id)
        writer.publish()
    finally:
        log.close()
    if fresh is not None:
        say(f"batonpass: shipped step {fresh[1].step:,} that session {local.session} had left on this machine")


def _how_it_ended(record: Session) -> End:
    now = datetime.now(UTC)
    if process_lives(record.host.process):
        return End(EndKind.CLOSED, now, PARTED_DETAIL)
    return End(EndKind.RESTARTED, now)


def _remove(local: LocalSession, lock: FileLock) -> None:
    with contextlib.suppress(OSError):
        lock.release()
    local.remove()
