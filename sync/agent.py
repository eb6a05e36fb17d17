"""The agent: the running package as a wheel on the store, so that a notebook can install exactly what this computer runs, without
an index. Built from the installed files alone, with equal bytes for equal files.
"""

from __future__ import annotations

import re

from batonpass.core import naming
from batonpass.core.errors import StoreError
from batonpass.core.files import hash_bytes
from batonpass.core.snippets.inputs import WheelFile
from batonpass.core.storage import ObjectInfo, Store
from batonpass.sync.wheel import Wheel, build_wheel

__all__ = ["Wheel", "build_wheel", "find_agent", "hash_agent", "newest_agent", "put_agent"]

_OURS = re.compile(rf"{naming.AGENT_FOLDER}batonpass-(?P<version>[0-9][0-9A-Za-z.]*)-py3-none-any\.whl")


def put_agent(store: Store) -> WheelFile:
    """Build the wheel, put it into the store's `agent/` folder, and prove that it arrived there whole.

    StoreError when the store then holds other bytes. A wheel of the same version is replaced, others stay.
    """
    wheel = build_wheel()
    key = f"{naming.AGENT_FOLDER}{wheel.name}"
    digest = hash_bytes(wheel.data)
    store.put(key, wheel.data)
    there = store.checksum(key)
    same = there.sha256 == digest.sha256 if there.sha256 else there.md5 == digest.md5
    if there.size_bytes != digest.size_bytes or not same:
        raise StoreError(f"{key} is not what was sent", op="put", key=key, hint="put the agent there again")
    return WheelFile(wheel.name, digest.sha256, there.id)


def find_agent(store: Store) -> WheelFile | None:
    """The newest version of the agent on the store, with the sha256 of the bytes it holds now; None where there is none."""
    newest = newest_agent(store)
    return hash_agent(store, newest) if newest is not None else None


def newest_agent(store: Store) -> ObjectInfo | None:
    """The newest version of the agent, as the store lists it; nothing of its content is read."""
    found = [info for info in store.list_objects(naming.AGENT_FOLDER) if _OURS.fullmatch(info.key)]
    return max(found, key=_version, default=None)


def hash_agent(store: Store, wheel: ObjectInfo) -> WheelFile:
    """A listed wheel with the sha256 of the bytes that the store holds now."""
    digest = hash_bytes(store.get(wheel.key, store_id=wheel.id))
    return WheelFile(wheel.key.removeprefix(naming.AGENT_FOLDER), digest.sha256, wheel.id)


def _version(info: ObjectInfo) -> tuple[tuple[int, ...], str]:
    """Sorts "0.10.0" after "0.9.0", and a release after its "0.10.0rc1"."""
    match = _OURS.fullmatch(info.key)
    assert match is not None
    release = re.match(r"[0-9.]*[0-9]", match["version"])
    rest = match["version"][release.end() if release else 0 :]
    numbers = tuple(int(n) for n in release[0].split(".")) if release else ()
    return numbers, rest or "~"
