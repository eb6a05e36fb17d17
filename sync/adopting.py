"""Makes a run of a checkpoint that people already have: kept byte for byte, mirrored, proven, and restorable as the file it is.

Nothing is loaded here. `attach` does, with `core.training.adopted`, and the run then goes on as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batonpass.core.errors import CorruptCheckpointError, RunNotFoundError, StoreUnreachableError, UsageError
from batonpass.core.model import EndKind, Manifest
from batonpass.core.model.checkpoint import ADOPTED
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.active import ActiveSession
from batonpass.sync.creation import Wanted
from batonpass.sync.foreign import read_position
from batonpass.sync.handover import Patience
from batonpass.sync.joining import Joined, join_run
from batonpass.sync.machine import describe_host
from batonpass.sync.pruning import Keep
from batonpass.sync.settled import Candidate, candidate_of
from batonpass.sync.snapshots import commit_held, take_snapshot
from batonpass.sync.structure import why_not_whole
from batonpass.sync.twins import find_run


@dataclass(frozen=True, slots=True)
class Adopted:
    """The run that was made, and its first checkpoint."""

    run_id: str
    root_id: str
    checkpoint: str
    """Key of its manifest."""
    step: int
    size_bytes: int
    proven: bool
    """The store's own answer equalled every byte. False on a mounted Drive: handed over."""


def adopt(
    store: Store,
    path: Path,
    name: str,
    *,
    account: str,
    settings: Settings,
    say: Callable[[str], None] = print,
    timeout_s: float = 24 * 3600.0,
) -> Adopted:
    """Make the run `name` of one file, or of a folder's files. UsageError when the run is there already or the path is not;
    CorruptCheckpointError when it is damaged, NotTakenError when it changes while it is read; any error of `join_run`.
    """
    candidate = _existing(path)
    if reason := why_not_whole(path):
        raise CorruptCheckpointError(
            f"{path} is not whole: {_in_words(path, reason)}",
            hint="look for an older copy of it, copy it again from where it was made, or wait until it is written",
        )
    _refuse_existing_run(store, name)
    patience = Patience(lease_s=settings.lease_s, say=say)
    wanted = Wanted(name, account=account, config={"adopted": candidate.name}, compress=settings.compress)
    joined = join_run(store, wanted, home=settings.home, host=describe_host(settings), patience=patience)
    if not joined.created:
        _leave(joined, settings, patience)
        raise _is_there_already(name, joined.folder)
    draft = _draft(candidate, joined)
    active = ActiveSession(
        joined, home=settings.home, facts=lambda: {"step": draft.step}, keep=Keep(), every_s=2.0, patience=patience
    )
    try:
        held = take_snapshot(candidate, path.parent, joined.local.path / "held", link=False)
        directory, manifest = commit_held(joined.local.checkpoints, draft, [held], kind=ADOPTED)
    except BaseException:
        active.close(EndKind.FAILED, detail="the checkpoint could not be taken", timeout_s=10.0)
        raise
    active.start()
    active.enqueue(directory, manifest)
    sent = active.close(EndKind.CLOSED, detail="adopted", timeout_s=timeout_s)
    durable = active.service.durable
    if not sent or durable is None:
        raise StoreUnreachableError(
            f"{path.name} could not be sent: {active.service.blobs.error or 'the time was up'}",
            hint="its copy stays on this machine; batonpass.start of this run on this machine sends it",
        )
    return Adopted(
        joined.info.run_id, joined.root.root_id, durable.key, durable.step, durable.size_bytes, durable.proven
    )


def _existing(path: Path) -> Candidate:
    if not path.exists():
        raise UsageError(f"{path} is not there", hint="give the path of a checkpoint's file or folder")
    candidate = candidate_of(path)
    if not candidate.marks:
        raise UsageError(f"{path} holds no file", hint="give a folder with a checkpoint's files")
    return candidate


def _in_words(path: Path, reason: str) -> str:
    """What the reason means for somebody who has never met it."""
    if path.is_file() and path.stat().st_size == 0:
        return "it is empty (0 bytes): the disk was full, or the machine stopped while it was written"
    if "the zip entry" in reason:
        return f"{reason}: some of its bytes have changed since it was written, which torch.load does not notice"
    return f"{reason}: its writing was interrupted, or it was not copied completely"


def _refuse_existing_run(store: Store, name: str) -> None:
    try:
        folder = find_run(store, name)
    except RunNotFoundError:
        return
    raise _is_there_already(name, folder)


def _is_there_already(name: str, folder: str) -> UsageError:
    return UsageError(
        f"{name!r} is there already ({folder}); nothing was changed",
        hint="choose another name; if an earlier adopt was cut off, `batonpass forget` removes what it left",
    )


def _leave(joined: Joined, settings: Settings, patience: Patience) -> None:
    """Somebody else made the run meanwhile: let go of it."""
    active = ActiveSession(joined, home=settings.home, facts=dict, keep=Keep(), every_s=2.0, patience=patience)
    active.close(EndKind.CLOSED, detail="nothing was adopted: the run was there already", timeout_s=10.0)


def _draft(candidate: Candidate, joined: Joined) -> Manifest:
    position = read_position(candidate.path)
    written = datetime.fromtimestamp(candidate.modified_ns / 1e9, UTC)
    return Manifest(
        run_id=joined.info.run_id,
        session=joined.session,
        attempt=1,
        step=position.step or 0,
        epoch=position.epoch,
        created_at=written,
        files=(),
        term=joined.head.term,
        data={"source": candidate.name},
    )
