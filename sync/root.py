"""The root of a store: `batonpass.json`, which marks a folder as ours. Found or made here, and never beside somebody else's files."""

from __future__ import annotations

import contextlib
import importlib.metadata

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.errors import ConflictError, NotFoundError, NotOurFolderError
from batonpass.core.model import Root
from batonpass.core.storage import ABSENT, Store
from batonpass.sync.reading import hint_with_lag, read_root

_NOTHING_DRIVE = (
    "were there runs? Then this sign-in may be another account's or another OAuth client's: `batonpass doctor` names both. "
    "Else start a run there"
)


def open_root(store: Store, *, create: bool, root_id: str | None = None) -> Root:
    """The root on `store`; with `create` an empty one is made ours. Of two that create at once both get the same root.

    NotFoundError: nothing is there yet, and `create` is False. NotOurFolderError: somebody else's files are there, or not the root
    `root_id` (another one, or none: an old root is never made anew). FormatError: `batonpass.json` is damaged or newer.
    StoreUnreachableError stays what it is: a store that does not answer is never taken for a new one.
    """
    try:
        root = read_root(store)
    except NotFoundError:
        if root_id is not None:
            raise _missing(store, root_id) from None
        root = _create(store, create=create)
    if root_id is not None and root.root_id != root_id:
        raise NotOurFolderError(
            f"{store.url} holds the root {root.root_id}, not {root_id}",
            op="open",
            key=naming.ROOT_FILE,
            hint="does the mount or sign-in show another account's Drive? Open the one the run was started on",
        )
    return root


def _create(store: Store, *, create: bool) -> Root:
    try:
        require_empty(store)
    except NotOurFolderError:
        with contextlib.suppress(NotFoundError):
            return read_root(store)  # another creator was faster than our look
        raise
    if not create:
        raise NotFoundError(
            f"{store.url} holds no run yet",
            op="open",
            key=naming.ROOT_FILE,
            hint=_NOTHING_DRIVE if store.url.startswith("gdrive://") else "start a run there, or check the path",
        )
    scheme = store.url.split("://", maxsplit=1)[0] if "://" in store.url else "folder"
    root = Root(naming.new_root_id(), store.now(), f"batonpass {_version()} ({scheme})")
    with contextlib.suppress(ConflictError):  # somebody else was faster
        store.put(naming.ROOT_FILE, encode(root), expect=ABSENT)
    return read_root(store)  # what the store now says, which all creators read alike


def require_empty(store: Store) -> None:
    """NotOurFolderError where a store without a root holds anything. Folders first: nobody's whole Drive is walked through."""
    if store.list_folders("") or store.list_objects(""):
        raise NotOurFolderError(
            f"{store.url} holds files, but no {naming.ROOT_FILE}: they are not Batonpass's",
            op="open",
            key=naming.ROOT_FILE,
            hint=hint_with_lag(store, f"name an empty or new folder, such as {_another(store.url)}"),
        )


def _another(url: str) -> str:
    """A folder that could be named instead of this one. On Drive a store lies directly in My Drive, or is named by its id."""
    return "gdrive://training-runs" if url.startswith("gdrive://") else f"{url.rstrip('/')}/batonpass"


def _missing(store: Store, root_id: str) -> NotOurFolderError:
    return NotOurFolderError(
        f"{store.url} holds no root, and {root_id} was asked for",
        op="open",
        key=naming.ROOT_FILE,
        hint=hint_with_lag(store, "does the mount or sign-in show another account's Drive? Nothing was created"),
    )


def _version() -> str:
    try:
        return importlib.metadata.version("batonpass")
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout"
