"""Finds the checkpoint to continue from, brings it here, proves it and loads it. Never a silent start from zero."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.core import naming
from batonpass.core.errors import (
    CorruptCheckpointError,
    FormatError,
    NotFoundError,
    NothingToRestoreError,
    StoreError,
)
from batonpass.core.lineage import Candidate, resume_candidates, trace
from batonpass.core.losses import Loss, loss_behind
from batonpass.core.model import CheckpointListing, Manifest, ResumeRecord, Session
from batonpass.core.model.checkpoint import ADOPTED
from batonpass.sync.active import ActiveSession
from batonpass.sync.leftovers import newest_local
from batonpass.sync.reading import RunFiles, read_manifest, read_run
from batonpass.sync.restore import RestoreProgress, fetch_checkpoint

if TYPE_CHECKING:
    from batonpass.core.training.adopted import Adopted
    from batonpass.core.training.read import Loaded


REREAD_AFTER_S = 5.0
"""How long a session's file that cannot be read is given before it is read once more."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One checkpoint to try: where it stands in the lineage and, where it is on this disk already, its folder."""

    session: str
    key: str
    step: int
    metric_rows: int
    listing: CheckpointListing | None
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that was read back whole."""

    offer: Offer
    loaded: Loaded | Adopted
    record: ResumeRecord
    loss: Loss
    before: tuple[Session, ...] = ()
    """The run's sessions before this one."""


def find_checkpoint(active: ActiveSession, *, chosen: str | None = None, say: Callable[[str], None]) -> Found | None:
    """The newest checkpoint of the lineage whose every byte is right; None for a run that never got past step 0.

    `chosen` is the manifest key of a checkpoint that the user asked for: that one and no other, unless the run has been continued
    from it by choice already (the same cell, run again on the next day).

    NothingToRestoreError when the run has got past step 0 and nothing restores. A store that does not answer raises as it is:
    then nothing has been decided and nothing is put in quarantine.
    """
    joined = active.joined
    run = _read_patiently(active, say)
    others = [s.session for s in run.sessions if s.session.id != joined.session]
    skipped = list(_gaps(run, joined.session))
    if chosen is not None and _was_chosen(run, others, chosen):
        say("batonpass: this run has been continued from the chosen checkpoint before; going on from where that led")
        chosen = None
    offers = _offers(active, run, others, skipped) if chosen is None else [_chosen_offer(others, chosen)]
    for offer in offers:
        record = ResumeRecord(
            offer.session, offer.key, offer.step, offer.metric_rows, skipped=tuple(skipped), chosen=bool(chosen)
        )
        joined.writer.change(resumed_from=record)
        joined.writer.publish()  # protects the checkpoint from every prune before its first byte is read
        try:
            loaded = _load(active, offer, say)
        except CorruptCheckpointError as error:
            joined.writer.change(quarantined=(*joined.writer.record.quarantined, offer.key))
            skipped.append(f"step {offer.step:,} is damaged: {error.message}")
        except NotFoundError as error:
            skipped.append(f"step {offer.step:,} has not arrived whole: {error.message}")
        else:
            return _found(active, offer, loaded, replace(record, skipped=tuple(skipped)), run)
        say(f"batonpass: passed over: {skipped[-1]}")
    joined.writer.change(resumed_from=None)
    joined.writer.publish()
    unread = set(run.head.sessions) - {joined.session} - {s.id for s in others}  # nobody knows how far they came
    if (
        chosen is not None
        or unread
        or joined.info.config.get("adopted")
        or any(s.step > 0 or s.checkpoints for s in others)
        or (skipped and others)
    ):
        raise NothingToRestoreError(
            "this run has been trained before, but none of its checkpoints can be restored"
            + "".join(f"\n  - {reason}" for reason in skipped),
            hint="wait for the Drive to catch up and start again, or attach(..., from_scratch=True) to train from zero as a marked branch",
        )
    return None


def _read_patiently(active: ActiveSession, say: Callable[[str], None]) -> RunFiles:
    """What the run's folder holds; read once more where a session's file was missing or damaged: it may be arriving just now."""
    joined = active.joined
    run = read_run(joined.store, joined.folder)
    if set(run.head.sessions) - {joined.session} <= {s.session.id for s in run.sessions}:
        return run
    say("batonpass: a session's file cannot be read yet; reading again")
    active.wait(REREAD_AFTER_S)
    return read_run(joined.store, joined.folder)


def _was_chosen(run: RunFiles, others: list[Session], key: str) -> bool:
    """A session of the run's one story has continued from this checkpoint by choice."""
    on_trunk = [link.session for link in trace(replace(run.head, holder=None), others).links]
    return any(s.resumed_from and s.resumed_from.chosen and s.resumed_from.checkpoint == key for s in on_trunk)


def _chosen_offer(others: list[Session], key: str) -> Offer:
    for session in others:
        for listing in session.checkpoints:
            if listing.key == key:
                return Offer(session.id, key, listing.step, listing.metric_rows, listing)
    raise NothingToRestoreError(
        f"the chosen checkpoint {key} is not on the store (any more)",
        hint="choose another one in the app, or leave checkpoint= out to continue from the newest",
    )


def _gaps(run: RunFiles, me: str) -> Iterable[str]:
    yield from run.broken
    yield from trace(replace(run.head, holder=None), [s.session for s in run.sessions if s.session.id != me]).gaps


def _offers(active: ActiveSession, run: RunFiles, others: list[Session], skipped: list[str]) -> Iterable[Offer]:
    """Best first. A checkpoint that is only on this disk comes right before the published ones of its session."""
    head = replace(run.head, holder=None, sessions=tuple(s for s in run.head.sessions if s != active.joined.session))
    local = {place.session: place for place in active.joined.leftovers}
    links = trace(head, others).links
    for link in links[:1]:
        place = local.get(link.session.id)
        fresh = newest_local(place, link.session) if place else None
        if fresh is not None:
            yield _local_offer(active.joined.folder, *fresh)
    for candidate in resume_candidates(head, others, deleted=run.deleted, arrived=run.arrived):
        if candidate.passed_over:
            skipped.append(f"step {candidate.step:,} was passed over: {candidate.passed_over}")
            continue
        yield _listed_offer(candidate, local.get(candidate.session))


def _local_offer(folder: str, directory: Path, manifest: Manifest) -> Offer:
    key = naming.manifest_file(folder, manifest.step, manifest.session, manifest.attempt)
    return Offer(manifest.session, key, manifest.step, manifest.metric_rows, None, directory)


def _listed_offer(candidate: Candidate, place: Any) -> Offer:
    listing = candidate.listing
    directory = None
    if place is not None:
        name = naming.checkpoint_name(listing.step, candidate.session, listing.attempt)
        directory = next((path for path, _ in place.committed() if path.name == name), None)
    return Offer(candidate.session, listing.key, listing.step, listing.metric_rows, listing, directory)


def _read(directory: Path) -> Loaded | Adopted:
    """A checkpoint of ours, or one that was another program's file before it was adopted."""
    from batonpass.core.training.adopted import read_adopted  # noqa: PLC0415  # torch is there by now
    from batonpass.core.training.read import read_checkpoint, read_manifest  # noqa: PLC0415

    manifest = read_manifest(directory)
    return read_adopted(directory, manifest) if manifest.kind == ADOPTED else read_checkpoint(directory)


def _load(active: ActiveSession, offer: Offer, say: Callable[[str], None]) -> Loaded | Adopted:
    if offer.directory is not None:
        try:
            return _read(offer.directory)
        except CorruptCheckpointError:
            if offer.listing is None:
                raise
            say("batonpass: the copy on this machine is damaged; taking the one on the store")
    if offer.listing is None:
        raise NotFoundError("it is not on the store", op="restore", key=offer.key)
    arriving = active.joined.local.path / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    directory, _ = fetch_checkpoint(
        active.joined.store,
        active.joined.folder,
        offer.listing,
        arriving,
        partials=active.home / "arriving",  # of no session: the next one on this machine continues what this one began
        progress=_printed(say),
    )
    return _read(directory)


def _printed(say: Callable[[str], None]) -> RestoreProgress:
    """A line for each tenth of a large download."""
    shown = -1

    def tell(_file: str, done_bytes: int, total_bytes: int) -> None:
        nonlocal shown
        tenth = 10 * done_bytes // max(total_bytes, 1)
        if total_bytes > 100_000_000 and tenth > shown:
            shown = tenth
            say(f"batonpass: restoring, {done_bytes / 1e6:,.0f} of {total_bytes / 1e6:,.0f} MB")

    return RestoreProgress(tell)


def _share_files(active: ActiveSession, offer: Offer, manifest: Manifest) -> None:
    """Equal bytes (frozen weights) are not sent again. A copy on this disk does not know their names on the store; the manifest there does."""
    if offer.listing is not None and offer.directory is not None:
        with contextlib.suppress(StoreError, FormatError):  # then they are sent once more, which is only slower
            manifest = read_manifest(active.joined.store, offer.key, store_id=offer.listing.id)
    active.mirror.knows(manifest)


def _found(active: ActiveSession, offer: Offer, loaded: Loaded | Adopted, record: ResumeRecord, run: RunFiles) -> Found:
    _share_files(active, offer, loaded.manifest)
    me = active.joined.session
    others = {s.session.id: s.session for s in run.sessions if s.session.id != me}
    before = tuple(others.values())
    if record.chosen:
        return Found(offer, loaded, replace(record, reason="you chose this checkpoint"), Loss(), before)
    loss = loss_behind(
        trace(replace(run.head, holder=None), others.values()),
        run.head,
        {me, *others},
        session=offer.session,
        step=offer.step,
        trained_s=loaded.manifest.trained_s,
    )
    reason = record.skipped[-1] if record.skipped else ""
    if loss.last is not None and not reason:
        end = others[loss.last].end
        reason = f"the last session ended after its last checkpoint ({end.kind if end else 'its machine was gone'})"
    return Found(offer, loaded, replace(record, reason=reason), loss, before)
