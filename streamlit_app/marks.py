"""What a cell needs of a store beside the run itself: the store's own mark and the agent's wheel on it. Read with the story and kept with
it, so that a page has them at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core import naming
from batonpass.core.errors import FormatError, NotFoundError
from batonpass.core.model import Root
from batonpass.core.snippets.inputs import WheelFile
from batonpass.core.storage import Store
from batonpass.sync.agent import hash_agent, newest_agent
from batonpass.sync.reading import read_root


@dataclass(frozen=True, slots=True)
class Marks:
    """`root` is None where no run was ever created, `agent` where no wheel lies there. With the store's versions of what was read: content is
    not fetched again while these stand.
    """

    root: Root | None = None
    root_version: str = ""
    agent: WheelFile | None = None
    agent_version: str = ""


def read_marks(store: Store, before: Marks | None = None) -> Marks:
    """As they are now. StoreError when the store cannot answer."""
    known = before or Marks()
    root, root_version = _read_root(store, known)
    agent, agent_version = _read_agent(store, known)
    return Marks(root, root_version, agent, agent_version)


def _read_root(store: Store, known: Marks) -> tuple[Root | None, str]:
    try:
        version = store.stat(naming.ROOT_FILE).version
        if known.root is not None and version == known.root_version:
            return known.root, version
        return read_root(store), version
    except (FormatError, NotFoundError):
        return None, ""


def _read_agent(store: Store, known: Marks) -> tuple[WheelFile | None, str]:
    newest = newest_agent(store)
    if newest is None:
        return None, ""
    version = f"{newest.key} {newest.version}"
    if known.agent is not None and version == known.agent_version:
        return known.agent, version
    try:
        return hash_agent(store, newest), version
    except (FormatError, NotFoundError):  # removed or replaced between the two looks
        return None, ""
