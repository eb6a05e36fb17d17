"""Everything that was ever written to a store, and what must hold for it whoever wrote in whichever order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from batonpass.core.codec import decode
from batonpass.core.model import Head, Session
from batonpass.sync.stores.memory import MemoryStore

_names = itertools.count()


class Violation(AssertionError):  # noqa: N818  # what the explorer looks for
    """An order of calls in which a promise was broken."""


@dataclass
class History:
    """What each key's content was, oldest first."""

    writes: dict[str, list[bytes]] = field(default_factory=dict)

    def heads(self) -> dict[str, list[Head]]:
        """Every head.json that ever was, by key."""
        keys = [key for key in self.writes if key.endswith("/head.json")]
        return {key: [decode(Head, body, key=key) for body in self.writes[key]] for key in keys}

    def sessions(self) -> dict[str, list[Session]]:
        """Every session's file that ever was, by key."""
        keys = [key for key in self.writes if "/sessions/" in key]
        return {key: [decode(Session, body, key=key) for body in self.writes[key]] for key in keys}

    def check(self) -> None:
        """Violation where an entry was lost, two sessions held one term, or a term went back."""
        for key, heads in self.heads().items():
            holders: dict[int, str] = {}
            for before, after in itertools.pairwise(heads):
                _require(set(before.sessions) <= set(after.sessions), f"{key}: a session vanished from the list", after)
                _require(after.term >= before.term, f"{key}: the term went back", after)
            for head in heads:
                if head.holder is not None:
                    first = holders.setdefault(head.term, head.holder)
                    _require(first == head.holder, f"{key}: two sessions held term {head.term}", head)
        for key, records in self.sessions().items():
            for before, after in itertools.pairwise(records):
                lost = {c.key for c in before.checkpoints} - {c.key for c in after.checkpoints}
                _require(not lost, f"{key}: a published checkpoint is no longer listed", lost)
                _require(
                    after.rows >= before.rows and after.beat >= before.beat, f"{key}: an older state came back", after
                )

    def check_branch(self, session: str, term: int) -> None:
        """Violation where a session was called a branch although nobody took the run from it."""
        others = [
            head
            for heads in self.heads().values()
            for head in heads
            if session in head.sessions and head.holder not in (None, session) and head.term > term
        ]
        _require(bool(others), f"session {session} was called a branch, and nobody had taken the run from it", term)


class RecordedStore(MemoryStore):
    """A store in memory that keeps a history, and whose versions others can change without touching the content, as Drive's may."""

    def __init__(self) -> None:
        super().__init__(f"interleaving-{next(_names)}")
        self.history = History()

    def put(self, key: str, body: Any, **options: Any) -> Any:
        info = super().put(key, body, **options)
        self.history.writes.setdefault(key, []).append(body if isinstance(body, bytes) else body.read_bytes())
        return info

    def touch_heads(self) -> None:
        """The versions of all heads change; their content stays."""
        for info in self.list_objects(""):
            if info.key.endswith("/head.json"):
                MemoryStore.put(self, info.key, self.get(info.key))


def _require(holds: bool, promise: str, seen: object) -> None:
    if not holds:
        raise Violation(f"{promise}: {seen}")
