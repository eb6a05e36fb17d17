"""Reads what a store holds about runs: by the front door, the command line and the app alike. Writes nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from batonpass.core import naming
from batonpass.core.arrival import arrived_keys
from batonpass.core.codec import decode
from batonpass.core.errors import (
    AmbiguousRunError,
    CorruptCheckpointError,
    FormatError,
    NotFoundError,
    RunNotFoundError,
)
from batonpass.core.manifest_file import decode_manifest
from batonpass.core.model import Annotations, Deletions, Head, Manifest, Receipt, Root, RunInfo, Segment, Session
from batonpass.core.storage import ObjectInfo, Store
from batonpass.sync.receipts import read_receipts


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A session's record and what the store says of its file."""

    session: Session
    info: ObjectInfo

    @property
    def heard_at(self) -> datetime:
        """The heartbeat by the store's clock; in a copy, by that of the store it was copied from."""
        copied = self.session.heard_at
        return self.info.modified if copied is None else min(copied, self.info.modified)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Everything small that a run's folder holds. `broken` names the files that could not be read, one sentence each."""

    folder: str
    info: RunInfo
    head: Head
    head_version: str
    annotations: Annotations
    sessions: tuple[SessionFile, ...]
    read_at: datetime
    """The store's clock when this was read."""
    broken: tuple[str, ...] = field(default=())
    deletions: tuple[Deletions, ...] = field(default=())
    receipts: tuple[Receipt, ...] = field(default=())

    @property
    def deleted(self) -> frozenset[str]:
        """Keys of the manifests that somebody asked to remove or is removing: they do not count as durable."""
        return frozenset(entry.key for each in self.deletions for entry in each.entries)

    @property
    def arrived(self) -> frozenset[str]:
        """Keys of the manifests that receipts prove: they count like those that the store itself has proven."""
        return arrived_keys(self.receipts, (s.session for s in self.sessions))

    def session(self, session_id: str) -> SessionFile | None:
        """The file of one session, if it was there."""
        return next((s for s in self.sessions if s.session.id == session_id), None)


def read_root(store: Store) -> Root:
    """`batonpass.json`. NotFoundError where the root has none yet."""
    root = decode(Root, store.get(naming.ROOT_FILE), key=naming.ROOT_FILE)
    with _about(naming.ROOT_FILE):
        naming.check_part(root.root_id)  # it becomes part of a path on this machine
    return root


def list_run_folders(store: Store) -> list[str]:
    """The folder of every run, each ending in "/"; anything that is not named like a run is passed over."""
    names = store.list_folders(naming.RUNS_FOLDER)
    return [f"{naming.RUNS_FOLDER}{name}/" for name in names if naming.parse_run_folder(name)]


def matching_folders(store: Store, wanted: str, *, run_id: str | None = None) -> list[str]:
    """The folders of the runs that answer to `wanted`: an id, a folder's name, a slug, or a name as typed. With `run_id` only that one."""
    found = []
    for folder in list_run_folders(store):
        name = folder.removeprefix(naming.RUNS_FOLDER).rstrip("/")
        slug, folder_id = naming.parse_run_folder(name) or ("", "")
        if run_id is not None:
            answers = folder_id == run_id
        else:
            answers = wanted in (name, folder_id, slug) or slug == naming.slugify(wanted)
        if answers:
            found.append(folder)
    return found


def find_run_folder(store: Store, wanted: str, *, run_id: str | None = None) -> str:
    """The folder of the one run that answers to `wanted` (see `matching_folders`).

    RunNotFoundError lists what is there; AmbiguousRunError names each run that answers. `sync.twins` knows when a twin does not count.
    """
    found = matching_folders(store, wanted, run_id=run_id)
    if len(found) == 1:
        return found[0]
    names = [f.removeprefix(naming.RUNS_FOLDER).rstrip("/") for f in (found or list_run_folders(store))]
    if found:
        raise AmbiguousRunError(
            f"{len(found)} runs answer to {wanted!r}: {', '.join(names)}",
            hint="name one by its id, the eight characters at the end",
        )
    there = f"there are: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}" if names else "it holds no run yet"
    hint = hint_with_lag(store, "check the name and the store")
    raise RunNotFoundError(f"no run {run_id or wanted!r} on {store.url}; {there}", hint=hint)


def hint_with_lag(store: Store, hint: str) -> str:
    """What to do where something is not there, on a store whose lists may not show yet what was written a moment ago."""
    return (
        f"was it begun a moment ago? Then start again in a minute. Else {hint}"
        if store.properties.listing_lags
        else hint
    )


def read_run(store: Store, folder: str) -> RunFiles:
    """Everything small that a run's folder holds. FormatError when `run.json` or `head.json` cannot be read; a session or an
    annotation that cannot be read is named in `broken` and left out.
    """
    info = read_run_info(store, folder)
    head, head_version = read_head(store, folder)
    broken: list[str] = []
    try:
        annotations = read_annotations(store, folder)
    except FormatError as error:
        annotations = Annotations()
        broken.append(error.message)
    sessions = tuple(_read_sessions(store, folder, head, broken))
    deletions = read_deletions(store, folder, list_deletions(store, folder), broken)
    receipts = read_receipts(store, folder, broken) if want_receipts(sessions) else ()
    return RunFiles(
        folder, info, head, head_version, annotations, sessions, store.now(), tuple(broken), deletions, receipts
    )


def want_receipts(sessions: Iterable[SessionFile]) -> bool:
    """Whether any checkpoint is only handed over: where the store proves everything, no receipt is looked for."""
    return any(not listing.proven for seen in sessions for listing in seen.session.checkpoints)


def read_run_info(store: Store, folder: str) -> RunInfo:
    """`run.json`. FormatError where it speaks for another run: its id becomes part of a path on this machine."""
    key = naming.run_file(folder)
    info = decode(RunInfo, store.get(key), key=key)
    if info.run_id != naming.run_id_of(folder):
        raise _not_its_own(key, info.run_id)
    return info


def read_annotations(store: Store, folder: str) -> Annotations:
    """`annotations.json`; empty where nothing has been annotated."""
    key = naming.annotations_file(folder)
    try:
        return decode(Annotations, store.get(key), key=key)
    except NotFoundError:
        return Annotations()


def read_head(store: Store, folder: str) -> tuple[Head, str]:
    """`head.json` and the version to compare and swap against."""
    key = naming.head_file(folder)
    version = store.stat(key).version
    return decode(Head, store.get(key), key=key), version


def read_session(store: Store, folder: str, session_id: str, *, store_id: str | None = None) -> SessionFile:
    """One session's file; NotFoundError where it has not arrived, FormatError where it names anything outside its run's folder."""
    key = naming.session_file(folder, session_id)
    info = store.stat(key, store_id=store_id)
    session = decode(Session, store.get(key, store_id=store_id or info.id), key=key)
    if session.id != session_id:
        raise _not_its_own(key, session.id)
    with _about(key):
        for listing in session.checkpoints:
            naming.check_inside(listing.key, naming.checkpoints_folder(folder))
        for segment in session.segments:
            naming.check_inside(segment.key, naming.metrics_folder(folder))
    return SessionFile(session, info)


def read_manifest(store: Store, key: str, *, store_id: str | None = None) -> Manifest:
    """One checkpoint's manifest; its keys and names are checked, because it may come from someone else's store. FormatError where it is
    not what was written.
    """
    try:
        manifest = decode_manifest(store.get(naming.check_key(key), store_id=store_id), key=key)
    except CorruptCheckpointError as error:
        raise FormatError(error.message, hint=error.hint) from error
    for entry in manifest.files:
        naming.check_part(entry.pool)
        naming.check_file_name(entry.name)
    return manifest


def fetch_segment(store: Store, segment: Segment) -> bytes:
    """A sealed segment's file. FormatError when its bytes are not those that its session lists."""
    content = store.get(naming.check_key(segment.key), store_id=segment.id)
    if hashlib.sha256(content).hexdigest() != segment.sha256:
        raise FormatError(f"{segment.key} is not the file that its session lists", hint="it may still be arriving")
    return content


def _read_sessions(store: Store, folder: str, head: Head, broken: list[str]) -> Iterable[SessionFile]:
    for session_id in head.sessions:
        try:
            yield read_session(store, folder, session_id, store_id=head.session_ids.get(session_id))
        except (NotFoundError, FormatError) as error:
            broken.append(f"session {session_id}: {error.message}")


def list_deletions(store: Store, folder: str) -> tuple[ObjectInfo, ...]:
    """The files in which a removal is asked for or told."""
    return tuple(store.list_objects(naming.deletions_folder(folder)))


def read_deletions(store: Store, folder: str, listed: Iterable[ObjectInfo], broken: list[str]) -> tuple[Deletions, ...]:
    """What was asked to be removed, or is being removed; a file that cannot be read is named in `broken`."""
    found = []
    for info in listed:
        try:
            found.append(_read_deletion(store, folder, info))
        except NotFoundError:
            continue  # its writer has just removed it
        except FormatError as error:
            broken.append(error.message)
    return tuple(found)


def _read_deletion(store: Store, folder: str, info: ObjectInfo) -> Deletions:
    asked = decode(Deletions, store.get(info.key, store_id=info.id), key=info.key)
    with _about(info.key):
        if naming.deletions_file(folder, asked.by) != info.key:
            raise _not_its_own(info.key, asked.by)
        for entry in asked.entries:
            naming.check_inside(entry.key, naming.checkpoints_folder(folder))
            for pool in entry.files:
                naming.check_part(pool)
    return asked


def _not_its_own(key: str, other: str) -> FormatError:
    return FormatError(
        f"{key} speaks for {other!r}", hint="the file may be damaged, copied or edited; it was left as it is"
    )


@contextlib.contextmanager
def _about(key: str) -> Iterator[None]:
    """A name that leads elsewhere is an error of the file that holds it."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{key}: {error.message}", hint=error.hint) from error
