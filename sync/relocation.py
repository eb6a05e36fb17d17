"""What a root's files must no longer say once they lie on another store: the first store's ids, owners and proofs. Pure rewriting of
JSON that knows the format and no store. Fields this version does not know stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from batonpass.core.codec import write_time
from batonpass.core.errors import FormatError


class Kind(StrEnum):
    """The files that may speak of the store they lie on."""

    MANIFEST = "checkpoints/[^/]+"
    SESSION = "sessions/[^/]+"
    HEAD = "head"


def kind_of(key: str) -> Kind | None:
    """Which of them a key names; None for all other files.

    >>> kind_of("runs/cats-1f2e3d4c/head.json")
    <Kind.HEAD: 'head'>
    """
    return next((kind for kind in Kind if re.fullmatch(rf"runs/[^/]+/{kind}\.json", key)), None)


def relocated(
    key: str,
    body: bytes,
    *,
    manifests: Mapping[str, str],
    arrived: Collection[str] = (),
    heard_at: datetime | None = None,
    proves_arrival: bool,
) -> bytes:
    """The content of a file for its new store; the very same bytes where nothing has to change.

    `manifests`: sha256 of each manifest on the old store -> on the new one; `arrived`: those of them (on the old store) whose every file
    the new store has by its own word: proven there. Without `proves_arrival` what was proven on the old store is only handed over on the
    new. `heard_at`: when the old store last heard of a session; one that has not said its end keeps it, because on the new store its
    silence would begin with the copy, as if it lived. FormatError when the file is damaged.
    """
    kind = kind_of(key)
    if kind is None:
        return body
    try:
        tree = json.loads(body)
        before = json.dumps(tree)
        if kind is Kind.MANIFEST:
            _forget(tree["files"], "id", "owner")
        elif kind is Kind.HEAD:
            tree["session_ids"] = {} if tree.get("session_ids") else tree["session_ids"]
        else:
            _relocate_session(tree, manifests, arrived, heard_at, proves_arrival=proves_arrival)
        after = json.dumps(tree)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise FormatError(f"{key} is not what its name promises", hint="the file may be damaged") from error
    return body if after == before else (json.dumps(tree, indent=1, ensure_ascii=False) + "\n").encode()


def _relocate_session(
    tree: dict[str, Any],
    manifests: Mapping[str, str],
    arrived: Collection[str],
    heard_at: datetime | None,
    *,
    proves_arrival: bool,
) -> None:
    listings = tree.get("checkpoints", [])
    _forget(listings, "id", "owner")
    _forget(tree.get("segments", []), "id")
    for listing in listings:
        before = listing["manifest_sha256"]
        listing["manifest_sha256"] = manifests.get(before, before)
        listing["proven"] = proves_arrival and (listing["proven"] or before in arrived)
    if heard_at is not None and tree.get("end") is None and tree.get("heard_at") is None:
        tree["heard_at"] = write_time(heard_at)
    if not proves_arrival and tree.get("host", {}).get("marks"):
        # whoever copies is the writer over there: its cache must not answer in the name of the first writer's machine
        tree["host"]["marks"] = []


def _forget(entries: list[dict[str, Any]], *fields: str) -> None:
    for entry in entries:
        for name in fields:
            if name in entry:
                entry[name] = None
