"""What a copy of a root has to carry, read so that it is whole even while sessions go on writing: heads and sessions first, then
everything they name, whether a listing shows it or not.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from batonpass.core import naming
from batonpass.core.codec import decode
from batonpass.core.errors import ConflictError, FormatError, NotFoundError
from batonpass.core.model import Deletions, Head, Manifest, Session
from batonpass.core.storage import ObjectInfo, Store
from batonpass.sync.relocation import Kind, kind_of

_LEFT_BEHIND = re.compile(r"batonpass\.json|runs/[^/]+/receipts/.*")
_EDITED = re.compile(r"runs/[^/]+/annotations\.json|accounts/[^/]+\.json")


@dataclass(slots=True)
class CopyPlan:
    """In the order in which it is sent. `manifests`, `sessions` and `heads` are key -> content as it stood."""

    files: list[ObjectInfo] = field(default_factory=list)
    manifests: dict[str, bytes] = field(default_factory=dict)
    edited: list[ObjectInfo] = field(default_factory=list)
    sessions: dict[str, bytes] = field(default_factory=dict)
    heads: dict[str, bytes] = field(default_factory=dict)
    heard_at: dict[str, datetime] = field(default_factory=dict)
    """Key of a session -> when the source last heard of it."""
    missing: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Of everything in the plan."""
        infos = [*self.files, *self.edited]
        bodies = [*self.manifests.values(), *self.sessions.values(), *self.heads.values()]
        return sum(info.size_bytes for info in infos) + sum(len(body) for body in bodies)


def plan_copy(source: Store) -> CopyPlan:
    """Read what is small, look up what is large."""
    plan = CopyPlan()
    for info in source.list_objects(naming.RUNS_FOLDER):
        if _is_ours(info.key) and kind_of(info.key) in (Kind.HEAD, Kind.SESSION):
            _read(source, plan, info.key, info.id, info.modified)
    for key, store_id in [named for head in plan.heads.items() for named in _named_by_head(*head)]:
        if key not in plan.sessions:
            _read(source, plan, key, store_id)
    listed = {info.key: info for info in source.list_objects("") if _is_ours(info.key)}
    for info in listed.values():
        kind = kind_of(info.key)
        if kind is Kind.MANIFEST:
            _read(source, plan, info.key, info.id)
        elif kind is None:
            (plan.edited if _EDITED.fullmatch(info.key) else plan.files).append(info)
    for key, store_id in [named for session in plan.sessions.items() for named in _named_by_session(*session)]:
        _add(source, plan, listed, key, store_id)
    for key, store_id in [named for manifest in plan.manifests.items() for named in _named_by_manifest(*manifest)]:
        _add(source, plan, listed, key, store_id)
    removed = _removed(source, listed)
    plan.missing = [key for key in plan.missing if key not in removed]
    return plan


def _removed(source: Store, listed: Iterable[str]) -> set[str]:
    """Manifests that somebody has asked to be removed: that they are not there is as it should be."""
    found: set[str] = set()
    for key in listed:
        if "/deletions/" in key:
            with contextlib.suppress(NotFoundError, FormatError):
                found.update(entry.key for entry in decode(Deletions, source.get(key), key=key).entries)
    return found


def refuse_if_ahead(target: Store, plan: CopyPlan) -> None:
    """ConflictError when a run on the target has sessions that the source does not know: copying would hide them."""
    for key, body in plan.heads.items():
        try:
            there = decode(Head, target.get(key), key=key)
            here = decode(Head, body, key=key)
        except (NotFoundError, FormatError):
            continue
        ahead = sorted(set(there.sessions) - set(here.sessions))
        if ahead:
            raise ConflictError(
                f"{key} on {target.url} has sessions that the source does not have: {', '.join(ahead[:3])}",
                op="copy",
                key=key,
                hint="the run went on over there; copy in the other direction, or to a new place",
            )


def _is_ours(key: str) -> bool:
    try:
        naming.check_key(key)
    except FormatError:
        return False  # somebody else's file, or a conflict copy: it was never ours to carry
    return not _LEFT_BEHIND.fullmatch(key)


def _read(source: Store, plan: CopyPlan, key: str, store_id: str | None, modified: datetime | None = None) -> None:
    home = {Kind.HEAD: plan.heads, Kind.SESSION: plan.sessions, Kind.MANIFEST: plan.manifests}
    kind = kind_of(key)
    assert kind is not None
    try:
        home[kind][key] = source.get(key, store_id=store_id)
        if kind is Kind.SESSION:
            plan.heard_at[key] = modified or source.stat(key, store_id=store_id).modified
    except NotFoundError:
        plan.missing.append(key)


def _add(source: Store, plan: CopyPlan, listed: dict[str, ObjectInfo], key: str, store_id: str | None) -> None:
    """Take in what is named and was not listed; a listing never proves absence."""
    if key in listed or not _is_ours(key):
        return
    try:
        info = source.stat(key, store_id=store_id)
    except NotFoundError:
        plan.missing.append(key)
        return
    listed[key] = info
    if kind_of(key) is Kind.MANIFEST:
        _read(source, plan, key, store_id)
    else:
        plan.files.append(info)


def _named_by_head(key: str, body: bytes) -> Iterator[tuple[str, str | None]]:
    try:
        head = decode(Head, body, key=key)
        for session in head.sessions:
            yield naming.session_file(key.removesuffix("head.json"), session), head.session_ids.get(session)
    except FormatError:
        return  # damaged: what the listing shows is carried all the same


def _named_by_session(key: str, body: bytes) -> Iterator[tuple[str, str | None]]:
    try:
        session = decode(Session, body, key=key)
    except FormatError:
        return
    yield from ((listing.key, listing.id) for listing in session.checkpoints)
    yield from ((segment.key, segment.id) for segment in session.segments)


def _named_by_manifest(key: str, body: bytes) -> Iterator[tuple[str, str | None]]:
    try:
        manifest = decode(Manifest, body, key=key)
        for entry in manifest.files:
            yield naming.pool_file(key.partition("checkpoints/")[0], entry.pool), entry.id
    except FormatError:
        return
