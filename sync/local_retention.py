"""Keeps this disk tidy: the newest local checkpoints stay, what is mirrored and superseded goes."""

from __future__ import annotations

import shutil

from batonpass.sync.local import LocalSession


def keep_newest_local(local: LocalSession, *, in_use: set[str], keep: int = 2) -> None:
    """Keep the newest committed checkpoints on this disk, and those that wait to be sent."""
    for path, _manifest in local.committed()[:-keep]:
        if path.name not in in_use:
            shutil.rmtree(path, ignore_errors=True)
