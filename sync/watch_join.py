"""How a watcher joins a run: as the training process that it watches, after a dead watcher of the same one, and never a run of `start`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from filelock import Timeout

from batonpass.core.errors import FormatError, NotFoundError, RunNotFoundError, UsageError
from batonpass.core.lineage import resume_candidates
from batonpass.core.model import FileEntry, Host, ResumeRecord, Session
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.creation import Wanted
from batonpass.sync.gpu import list_gpus
from batonpass.sync.handover import Patience
from batonpass.sync.joining import Joined, join_run
from batonpass.sync.local import LocalSession, run_home
from batonpass.sync.machine import describe_host, process_lives, process_mark, versions
from batonpass.sync.reading import (
    read_head,
    read_manifest,
    read_root,
    read_run,
    read_run_info,
    read_session,
)
from batonpass.sync.twins import find_run

KIND = "watched"
Content = frozenset[tuple[str, str]]
"""What a checkpoint holds: (name, sha256) of each file."""


def host_of_trainer(settings: Settings, pid: int | None) -> Host:
    """This machine, with the process that trains. UsageError when there is no such process."""
    host = describe_host(settings)
    if pid is None:
        return host
    mark = process_mark(pid)
    if mark.endswith("-0") or not process_lives(mark):
        raise UsageError(
            f"there is no process {pid} on this machine", hint="pass the trainer's process id, or leave it out"
        )
    return replace(host, process=mark)


def join_watched(
    store: Store, name: str, account: str, settings: Settings, host: Host, *, takeover: bool, say: Callable[[str], None]
) -> Joined:
    """Join a watched run as a new session. Errors: as `join_run`; UsageError for a run that `start` trains."""

    def fill(first: Session) -> Session:
        return replace(first, gpus=list_gpus(settings.home), versions=versions())

    follows = _follows_a_dead_watcher(store, name, settings.home, host)
    wanted = Wanted(name, account=account, kind=KIND, takeover=takeover or follows, compress=settings.compress)
    patience = Patience(lease_s=settings.lease_s, say=say)
    return join_run(store, wanted, home=settings.home, host=host, patience=patience, record=fill)


def _follows_a_dead_watcher(store: Store, name: str, home: Path, host: Host) -> bool:
    """The run's holder watched the same living process from this machine, and is gone: its lock is free. UsageError for a run of `start`."""
    try:
        root = read_root(store)
        folder = find_run(store, name)
        info = read_run_info(store, folder)
        if info.kind != KIND:
            raise UsageError(
                f"{info.name} is trained through batonpass.start", hint="choose another name for the watched folder"
            )
        head, _ = read_head(store, folder)
        if head.holder is None:
            return False
        holder = read_session(store, folder, head.holder, store_id=head.session_ids.get(head.holder)).session
    except (NotFoundError, RunNotFoundError):
        return False
    local = LocalSession(run_home(home, root.root_id, info.run_id) / holder.id)
    if (holder.host.machine, holder.host.process) != (host.machine, host.process) or not local.path.is_dir():
        return False
    lock = local.lock()
    with contextlib.suppress(Timeout), lock.acquire(timeout=0):
        return True
    return False


def continue_from_before(joined: Joined) -> set[Content]:
    """Link this session to the newest checkpoint of the run, and return the content of those that need not be sent again."""
    run = read_run(joined.store, joined.folder)
    others = [s.session for s in run.sessions if s.session.id != joined.session]
    candidates = [
        c for c in resume_candidates(replace(run.head, holder=None), others, deleted=run.deleted) if not c.passed_over
    ]
    known: set[Content] = set()
    for candidate in candidates[:10]:
        with contextlib.suppress(NotFoundError, FormatError):
            known.add(content_of(read_manifest(joined.store, candidate.key, store_id=candidate.listing.id).files))
    if candidates:
        last = candidates[0]
        joined.writer.change(
            step=last.step,
            resumed_from=ResumeRecord(
                last.session,
                last.key,
                last.step,
                last.listing.metric_rows,
                reason="the folder is watched by a new session; what its trainer itself continued from is not known",
            ),
        )
        joined.writer.publish()
    return known


def content_of(files: Iterable[FileEntry]) -> Content:
    """What tells two checkpoints of one content."""
    return frozenset((entry.name, entry.sha256) for entry in files)
