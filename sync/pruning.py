"""Retention by the session that holds the run: its own checkpoints, after a newer one became durable."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core.storage import Store
from batonpass.sync.session import SessionWriter


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays on the store: the last few, and the best by a metric ("loss:min", "accuracy:max")."""

    last: int = 3
    best: str | None = None


def prune_own(store: Store, folder: str, writer: SessionWriter, keep: Keep) -> None:
    """To come with core.retention."""
