"""Deletes everything of a run: on the store, and what this machine kept of it. Stopped anywhere, the same call goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import StoreError
from batonpass.core.storage import Store
from batonpass.sync.local import abandoned_sessions, run_home

_PASSES = 5


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted."""

    objects: int
    size_bytes: int
    local_kept: tuple[str, ...]
    """Sessions of this machine that a living process writes to: their folders stay."""


def forget_run(
    store: Store,
    folder: str,
    home: Path,
    root_id: str,
    *,
    progress: Callable[[str, int, int], None] = lambda _key, _done_bytes, _total_bytes: None,
) -> Forgotten:
    """Delete the run's folder, bytes first and what names the run last, then its folder on this machine.

    StoreError when something is still listed after several passes.
    """
    count = freed = 0
    for _ in range(_PASSES):
        found = sorted(store.list_objects(folder), key=lambda info: (_rank(info.key.removeprefix(folder)), info.key))
        if not found:
            break
        total = freed + sum(info.size_bytes for info in found)
        for info in found:
            store.delete(naming.check_key(info.key), store_id=info.id)
            count, freed = count + 1, freed + info.size_bytes
            progress(info.key, freed, total)
    else:
        raise StoreError(
            f"something is still listed in {folder}", op="forget", key=folder, hint="run it again in some minutes"
        )
    return Forgotten(count, freed, _forget_here(home, root_id, naming.run_id_of(folder)))


def _rank(rest: str) -> int:
    """Large things first, the names of the run last."""
    return 0 if rest.startswith("files/") else 2 if "/" not in rest else 1


def _forget_here(home: Path, root_id: str, run_id: str) -> tuple[str, ...]:
    kept = {path.name for path in run_home(home, root_id, run_id).glob("*/")}
    for local, lock in abandoned_sessions(home, root_id, run_id):
        lock.release()
        local.remove()
        kept.discard(local.session)
    if not kept:
        shutil.rmtree(run_home(home, root_id, run_id), ignore_errors=True)
    return tuple(sorted(kept))
