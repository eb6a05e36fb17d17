"""Which of a file's revisions are lawful: the order of writers on a Drive that does not honour If-Match where content is replaced.

Every conditional write says in its revision's original file name which version it replaces. Read in order, a write over the version
that was current is lawful and becomes the current one; a write over an older version is not, and the current content comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_MARK = re.compile(r"batonpass-(after|again)-([^/]+)-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Revision:
    """One content of a file: `id` as Drive calls it, and what its original file name is."""

    id: str
    md5: str
    mark: str = ""

    @property
    def claims(self) -> tuple[str, str] | None:
        """("after", version that it replaces) or ("again", version that it brings back). None for any other write, also one that
        inherited the name of an older one: a mark names the content that it was made for.
        """
        match = _MARK.fullmatch(self.mark)
        return (match[1], match[2]) if match and match[3] == self.md5 else None


def mark_after(version: str, md5: str) -> str:
    """The original file name of a content with this md5 that replaces `version`."""
    return f"batonpass-after-{version}-{md5}"


def mark_again(version: str, md5: str) -> str:
    """The original file name of a content that brings `version` back."""
    return f"batonpass-again-{version}-{md5}"


def read_revisions(items: Iterable[dict[str, Any]]) -> list[Revision]:
    """Drive v2's words about revisions, oldest first: by Drive's times (equal ones stay in Drive's order), and never one before the
    version that it says it replaces, because a server's clock may step back.
    """
    ordered = sorted(items, key=lambda r: str(r.get("modifiedDate", "")))
    found = [Revision(str(r["id"]), str(r.get("md5Checksum")), str(r.get("originalFilename", ""))) for r in ordered]
    for revision in tuple(found):
        followed = revision.claims[1] if revision.claims else None
        place = next((i for i, other in enumerate(found) if other.id == followed), -1)
        if place > found.index(revision):
            found.remove(revision)
            found.insert(place, revision)
    return found


@dataclass(frozen=True, slots=True)
class History:
    """What a list of revisions says: `current` should be the head, and `accepted` are the versions that were current once."""

    current: Revision
    accepted: frozenset[str]
    names: frozenset[str]
    """Every version under which `current` is known: its own, and those that brought it back."""
    head: Revision

    @property
    def whole(self) -> bool:
        """Whether the head holds the current content."""
        return self.head.md5 == self.current.md5


def read_history(revisions: Sequence[Revision]) -> History:
    """Pure. `revisions` are oldest first, and not empty; what is older than the first is taken to have been lawful. So is a write over
    a version that the list does not tell of: the list is what is incomplete (it lags, or old revisions were purged), and nothing may be
    rolled back for that.
    """
    current, names, accepted = revisions[0], {revisions[0].id}, {revisions[0].id}
    known = {revision.id for revision in revisions}
    for revision in revisions[1:]:
        claims = revision.claims
        if revision.md5 == current.md5:
            names.add(revision.id)
        elif claims is None or claims[1] not in known or (claims[0] == "after" and claims[1] in names):
            current, names = revision, {revision.id}
            accepted.add(revision.id)
    return History(current, frozenset(accepted), frozenset(names), revisions[-1])
