"""Runs of one name: two machines that begin it at the same time, while listings lag, make two. Nothing but reading happens here.

Drive has no "create only if absent" for a name. So every creator looks again, and whoever looks decides alike: a twin in which nothing
was trained gives way, to the other or, where that is as empty, to the older by the store's clock. Two that were trained are both offered.
"""

from __future__ import annotations

from collections.abc import Sequence

from batonpass.core import naming
from batonpass.core.errors import AmbiguousRunError, FormatError, NotFoundError
from batonpass.core.storage import Store
from batonpass.sync.reading import (
    find_run_folder,
    list_run_folders,
    matching_folders,
    read_head,
    read_run_info,
    read_session,
)

LOOKS_S = (60.0, 300.0, 900.0)
"""When a creator looks again, in seconds after the creation; and once more at its end."""


def find_run(store: Store, wanted: str, *, run_id: str | None = None) -> str:
    """As `find_run_folder`, but of several runs that answer the one that counts, where there is such a one."""
    try:
        return find_run_folder(store, wanted, run_id=run_id)
    except AmbiguousRunError:
        counts = choose_twin(store, matching_folders(store, wanted, run_id=run_id))
        if counts is None:
            raise
        return counts


def choose_twin(store: Store, folders: Sequence[str]) -> str | None:
    """The one of several runs of a name that counts; None where more than one was trained, or one cannot be read: a person chooses."""
    trained = {folder: was_trained(store, folder) for folder in folders}
    if None in trained.values():
        return None
    candidates = [folder for folder in folders if trained[folder]]
    if candidates:
        return candidates[0] if len(candidates) == 1 else None
    return min(folders, key=lambda folder: (store.stat(naming.run_file(folder)).modified, folder))


def was_trained(store: Store, folder: str) -> bool | None:
    """Whether any session got past step 0. None where that cannot be told: a file that is damaged, or may not have arrived."""
    if not store.properties.proves_arrival:
        return None
    try:
        read_run_info(store, folder)
        head, _ = read_head(store, folder)
        for session_id in head.sessions:
            session = read_session(store, folder, session_id, store_id=head.session_ids.get(session_id)).session
            if session.step or session.rows or any(c.step for c in session.checkpoints):
                return True
    except (NotFoundError, FormatError):
        return None
    return False


def other_runs(store: Store, folder: str) -> tuple[str, ...]:
    """The ids of the other runs that answer to this run's name, as far as a listing tells now."""
    mine = naming.parse_run_folder(_name(folder))
    found = [naming.parse_run_folder(_name(each)) for each in list_run_folders(store)]
    return tuple(f[1] for f in found if f is not None and mine is not None and f[0] == mine[0] and f[1] != mine[1])


def _name(folder: str) -> str:
    return folder.removeprefix(naming.RUNS_FOLDER).rstrip("/")
