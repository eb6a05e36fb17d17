"""Where runs are kept: `open_store` makes the store that a URL names."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from batonpass.core.errors import UsageError
from batonpass.core.settings import Settings, read_settings
from batonpass.core.storage import Store

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
"""Two letters at least: "C:" is a drive, not a scheme."""


def open_store(url: str | Path, settings: Settings | None = None) -> Store:
    """The store at a path, `file://`, `memory://` or `gdrive://` URL. Nothing is read or created yet.

    UsageError for a URL that names no store. `settings` default to the environment's.
    """
    settings = settings or read_settings()
    if not str(url) or url == Path():
        raise UsageError(
            "an empty path names no store", hint="give a folder, as ./runs or /content/drive/MyDrive/batonpass"
        )
    match = _SCHEME.fullmatch(str(url)) if isinstance(url, str) else None
    if match is None:
        return _open_folder(Path(url), settings)
    scheme = match["scheme"].lower()
    if scheme == "file":
        return _open_folder(_path_of_file_url(str(url)), settings)
    if scheme == "memory":
        return _open_memory(match["rest"])
    if scheme == "gdrive":
        return _open_gdrive(str(url), settings)
    raise UsageError(f"no store is known for {scheme}://", hint="use a folder's path, file://, memory:// or gdrive://")


def _open_folder(path: Path, settings: Settings) -> Store:
    from batonpass.sync.mounts import find_mount  # noqa: PLC0415  # each store loads only what it needs
    from batonpass.sync.stores.folder import FolderStore  # noqa: PLC0415

    root = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  # must not ask a mount that may be dead
    mount = find_mount(root, settings.mount_points)
    if mount is None:
        return FolderStore(root)
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return FolderStore(root, mount=mount, lock_file=settings.home / "locks" / f"store-{name}.lock")


def _open_memory(name: str) -> Store:
    from batonpass.sync.stores.memory import MemoryStore  # noqa: PLC0415

    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise UsageError(f"memory://{name} names no store", hint="use letters and digits, as memory://trial")
    return MemoryStore(name)


def _open_gdrive(url: str, settings: Settings) -> Store:
    try:
        gdrive = importlib.import_module("batonpass.sync.stores.gdrive")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"gdrive:// needs {error.name}, which is not installed here",
            hint="pip install batonpass with its dependencies",
        ) from error
    store: Store = gdrive.open_gdrive(url, settings)
    return store


def _path_of_file_url(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"{url} names another computer", hint="mount its folder here and give the path")
    path = unquote(parts.path)
    return Path(path[1:] if re.match(r"/[A-Za-z]:", path) else path)
