"""Everything small that a store holds, as the pages see it, and how to read it again at the cost of what is new. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from batonpass.core import naming
from batonpass.core.codec import decode
from batonpass.core.errors import FormatError, NotFoundError
from batonpass.core.model import Account, Annotations, Deletions, Head, Note
from batonpass.core.storage import Store
from batonpass.streamlit_app.damage import LARGEST, check_numbers
from batonpass.streamlit_app.marks import Marks, read_marks
from batonpass.sync.arrivals import with_receipts
from batonpass.sync.reading import (
    RunFiles,
    SessionFile,
    list_deletions,
    list_run_folders,
    read_deletions,
    read_head,
    read_run_info,
    read_session,
)

MAY_MOVE_S = 3600.0
"""A session that never said how it ended and was silent for so long is asked by deep readings only."""


@dataclass(frozen=True, slots=True)
class RunStory:
    """One run: its small files and its notes, newest note first."""

    files: RunFiles
    notes: tuple[Note, ...] = ()
    note_keys: tuple[str, ...] = ()
    """Keys of every note file read so far: they never change, so that none is read twice."""
    annotations_version: str = ""
    """The store's version of the annotations; empty where there are none."""
    deletion_versions: tuple[tuple[str, str], ...] = ()
    """Key and version of each file of removals that was read; empty where one of them could not be."""

    @property
    def name(self) -> str:
        """What the user calls it: the title given in the app, else the name it was started with. Untrusted text."""
        return self.files.annotations.title or self.files.info.name or self.files.info.slug

    @property
    def goal_steps(self) -> int | None:
        """The goal as changed in the app, else as started; None where it is no number of steps."""
        goal = self.files.annotations.goal_steps or self.files.info.goal_steps
        return goal if goal is not None and 0 < goal <= LARGEST else None


@dataclass(frozen=True, slots=True)
class AccountStory:
    """What the user wrote about one account."""

    account: Account
    notes: tuple[Note, ...] = ()
    note_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """A whole store at one moment. `broken` names what could not be read, one sentence each."""

    runs: tuple[RunStory, ...]
    accounts: tuple[AccountStory, ...]
    read_at: datetime
    """The store's clock when this was read: the only moment that ages are reckoned from."""
    broken: tuple[str, ...] = ()
    marks: Marks | None = None
    """None where they were never read."""

    def run(self, run_id: str | None) -> RunStory | None:
        """The run of that id."""
        return next((r for r in self.runs if r.files.info.run_id == run_id), None)

    def account(self, label: str) -> AccountStory:
        """What is written about an account; empty where nothing is."""
        found = next((a for a in self.accounts if a.account.label == label), None)
        return found or AccountStory(Account(label))

    @property
    def fingerprint(self) -> int:
        """Changes when anything that a page shows has changed; the moment of reading does not count."""
        runs = tuple(
            (
                r.files.folder,
                r.files.head_version,
                r.files.annotations,
                r.files.broken,
                r.files.receipts,
                r.files.deletions,
                r.note_keys,
                *tuple((s.session.id, s.info.version) for s in r.files.sessions),
            )
            for r in self.runs
        )
        return hash((runs, repr(self.accounts), self.broken, self.marks))  # what a user typed may be a dict


def read_overview(store: Store, before: Overview | None = None, *, deep: bool = True) -> Overview:
    """The store as it is now. What cannot change is taken over from `before`.

    A light reading (`deep=False`) asks for the version of each session that may still move, and for nothing else as long as none
    changed: on Drive 5 quota units a live session. Runs, handovers, notes, annotations and accounts are found by a deep one, which
    asks for versions before content too. StoreError when the store cannot answer.
    """
    if before is None or not before.runs:
        deep = True
    broken: list[str] = []
    known = {r.files.folder: r for r in before.runs} if before else {}
    folders = list_run_folders(store) if deep or before is None else [r.files.folder for r in before.runs]
    runs = []
    for folder in folders:
        try:
            run = _read_run(store, folder, known.get(folder), deep=deep)
            runs.append(_with_receipts(store, run, known.get(folder), deep=deep))
        except (FormatError, NotFoundError) as error:
            broken.append(f"{folder.removeprefix(naming.RUNS_FOLDER).rstrip('/')}: {error.message}")
    if deep or before is None:
        accounts = tuple(_read_accounts(store, before, broken))
        marks: Marks | None = read_marks(store, before.marks if before else None)
    else:
        accounts, marks = before.accounts, before.marks
        broken = [*before.broken, *(b for b in broken if b not in before.broken)]
    return Overview(tuple(runs), accounts, store.now(), tuple(broken), marks)


def _with_receipts(store: Store, run: RunStory, before: RunStory | None, *, deep: bool) -> RunStory:
    """Receipts are looked for by deep readings only; a light one keeps what was known."""
    if before is not None and not deep:
        return replace(run, files=replace(run.files, receipts=before.files.receipts))
    return replace(run, files=with_receipts(store, run.files))


def current_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes that stand: not replaced by a newer one and not emptied, newest first."""
    every = tuple(notes)
    replaced = {n.replaces for n in every if n.replaces is not None and n.replaces != n.id}
    standing = (n for n in every if n.id not in replaced and n.text.strip())
    return tuple(sorted(standing, key=lambda n: (n.written_at, n.id), reverse=True))


def _read_run(store: Store, folder: str, before: RunStory | None, *, deep: bool) -> RunStory:
    if before is not None and not deep:
        return _read_lightly(store, before)
    info = read_run_info(store, folder) if before is None else before.files.info
    head, version = _read_head(store, folder, before)
    broken: list[str] = []
    sessions = _read_sessions(store, folder, head, before, broken)
    annotations, annotated = _read_annotations(store, folder, before, broken)
    notes, keys = (before.notes, before.note_keys) if before else ((), ())
    notes, keys = _read_notes(store, naming.notes_folder(folder), notes, keys, broken)
    deletions, versions = _read_deletions(store, folder, before, broken)
    files = RunFiles(folder, info, head, version, annotations, tuple(sessions), store.now(), tuple(broken), deletions)
    return RunStory(files, notes, keys, annotated, versions)


def _read_lightly(store: Store, before: RunStory) -> RunStory:
    """The sessions that may still move; the head too when one of them did."""
    files, broken = before.files, list(before.files.broken)
    head, version = files.head, files.head_version
    sessions = []
    for known in files.sessions:
        silent_s = (files.read_at - known.heard_at).total_seconds()
        if known.session.end is None and silent_s < MAY_MOVE_S:
            try:
                sessions.append(_read_session(store, files.folder, known.session.id, known.info.id, known))
            except (NotFoundError, FormatError) as error:
                broken.append(f"session {known.session.id}: {error.message}")
        else:
            sessions.append(known)
    if tuple(s.info.version for s in sessions) != tuple(s.info.version for s in files.sessions):
        head, version = _read_head(store, files.folder, before)
    fresh = replace(files, head=head, head_version=version, sessions=tuple(sessions), read_at=store.now())
    return replace(before, files=replace(fresh, broken=tuple(dict.fromkeys(broken))))


def _read_head(store: Store, folder: str, before: RunStory | None) -> tuple[Head, str]:
    if before is not None and store.stat(naming.head_file(folder)).version == before.files.head_version:
        return before.files.head, before.files.head_version
    return read_head(store, folder)


def _read_sessions(
    store: Store, folder: str, head: Head, before: RunStory | None, broken: list[str]
) -> Iterable[SessionFile]:
    known = {s.session.id: s for s in before.files.sessions} if before else {}
    for session_id in head.sessions:
        try:
            yield _read_session(store, folder, session_id, head.session_ids.get(session_id), known.get(session_id))
        except (NotFoundError, FormatError) as error:
            broken.append(f"session {session_id}: {error.message}")


def _read_session(
    store: Store, folder: str, session_id: str, store_id: str | None, known: SessionFile | None
) -> SessionFile:
    if known is not None:
        info = store.stat(naming.session_file(folder, session_id), store_id=store_id)
        if info.version == known.info.version:
            return SessionFile(known.session, info)
    found = read_session(store, folder, session_id, store_id=store_id)
    check_numbers(found.session)
    return found


def _read_annotations(store: Store, folder: str, before: RunStory | None, broken: list[str]) -> tuple[Annotations, str]:
    key = naming.annotations_file(folder)
    try:
        version = store.stat(key).version
        if before is not None and version == before.annotations_version:
            return before.files.annotations, version
        return decode(Annotations, store.get(key), key=key), version
    except NotFoundError:
        return Annotations(), ""
    except FormatError as error:
        broken.append(error.message)
        return Annotations(), ""


def _read_deletions(
    store: Store, folder: str, before: RunStory | None, broken: list[str]
) -> tuple[tuple[Deletions, ...], tuple[tuple[str, str], ...]]:
    listed = list_deletions(store, folder)
    versions = tuple((info.key, info.version) for info in listed)
    if before is not None and versions == before.deletion_versions:
        return before.files.deletions, versions
    complaints: list[str] = []
    deletions = read_deletions(store, folder, listed, complaints)
    broken += complaints
    return deletions, () if complaints else versions


def _read_notes(
    store: Store, prefix: str, notes: tuple[Note, ...], keys: tuple[str, ...], broken: list[str]
) -> tuple[tuple[Note, ...], tuple[str, ...]]:
    """Every note file under `prefix`; those in `keys` are known already."""
    read = frozenset(keys)
    fresh = [o for o in store.list_objects(prefix) if o.key not in read and o.key.endswith(".json")]
    found = list(notes)
    for item in fresh:
        try:
            found.append(decode(Note, store.get(item.key, store_id=item.id), key=item.key))
        except (FormatError, NotFoundError) as error:
            broken.append(error.message)
    return tuple(found), (*keys, *(o.key for o in fresh))


def _read_accounts(store: Store, before: Overview | None, broken: list[str]) -> Iterable[AccountStory]:
    known = {a.account.label: a for a in before.accounts} if before else {}
    listed = store.list_objects(naming.ACCOUNTS_FOLDER)
    for item in listed:
        if item.key.count("/") != 1 or not item.key.endswith(".json"):
            continue
        try:
            account = decode(Account, store.get(item.key, store_id=item.id), key=item.key)
            old = known.get(account.label, AccountStory(account))
            prefix = f"{item.key.removesuffix('.json')}/"
            yield AccountStory(account, *_read_notes(store, prefix, old.notes, old.note_keys, broken))
        except (FormatError, NotFoundError) as error:
            broken.append(error.message)
