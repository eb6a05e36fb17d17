"""Asks from outside a session: whether anybody holds a run, and for the removal of old checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.model import Deletion, Deletions
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.handover import judge_holder
from batonpass.sync.machine import describe_host, machine_marks, salted_hash
from batonpass.sync.reading import RunFiles


def this_app(home: Path, kind: str) -> str:
    """The name under which this computer asks, as "cli-1f2e3d4c": it tells computers apart and says nothing about them."""
    return f"{kind}-{hashlib.sha256(salted_hash(home, machine_marks()).encode()).hexdigest()[:8]}"


def living_holder(store: Store, run: RunFiles, settings: Settings) -> str | None:
    """The session that holds the run and may live, or None. In doubt it lives (on a mount: unless it was silent for hours)."""
    if run.head.holder is None:
        return None
    holder = run.session(run.head.holder)
    silent_s = (run.read_at - holder.heard_at).total_seconds() if holder else 0.0
    verdict = judge_holder(
        holder,
        describe_host(settings),
        silent_s=silent_s,
        proves_silence=store.properties.proves_arrival,
        lease_s=settings.lease_s,
    )
    return None if verdict.gone else run.head.holder


def ask_removal(store: Store, run: RunFiles, app: str, keys: Iterable[str]) -> str:
    """Ask the holder to remove checkpoints; they do not count as durable from now on. Returns the key of the request."""
    mine = next((d for d in run.deletions if d.by == app), Deletions(app))
    known = {entry.key for entry in mine.entries}
    now = store.now()
    fresh = tuple(Deletion(naming.check_key(key), now) for key in keys if key not in known)
    key = naming.deletions_file(run.folder, app)
    store.put(key, encode(replace(mine, entries=(*mine.entries, *fresh))))
    return key
