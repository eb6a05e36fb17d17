"""Packs the running package into a wheel: from an ordinary install, an editable one, or a checkout that was never installed.
No build backend, no network. The layout is that of the binary distribution format, PEP 427.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from batonpass.core.errors import UsageError
from batonpass.sync.wheel_metadata import Metadata, metadata_of_checkout, metadata_of_install

PACKAGE = "batonpass"
_PARTS = ("core", "sync", "streamlit_app")
"""Sub-packages that a checkout keeps beside, not inside, the package's own folder."""
_DATA_FOLDERS = {"templates", "assets", ".streamlit"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Wheel(NamedTuple):
    """A wheel in memory: its file name, and its bytes (some hundred kB)."""

    name: str
    data: bytes


def build_wheel() -> Wheel:
    """`batonpass-<version>-py3-none-any.whl` of the files this process runs from. UsageError when they say no version."""
    home = _folder_of(PACKAGE)
    metadata = _metadata(home)
    files = {f"{PACKAGE}/{name}": path.read_bytes() for name, path in _files(home)}
    for part in _PARTS:
        if not (home / part).is_dir():
            folder = _folder_of(f"{PACKAGE}.{part}")
            files |= {f"{PACKAGE}/{part}/{name}": path.read_bytes() for name, path in _files(folder)}
    info = f"{PACKAGE}-{metadata.version}.dist-info"
    extra = {f"{info}/{name}": text.encode() for name, text in sorted(metadata.files.items())}
    return Wheel(f"{PACKAGE}-{metadata.version}-py3-none-any.whl", _pack(dict(sorted(files.items())) | extra, info))


def _metadata(home: Path) -> Metadata:
    """A checkout speaks for itself even where another version is installed."""
    project = home.joinpath("__init__.py").resolve().parents[2] / "pyproject.toml"
    found = metadata_of_checkout(project, PACKAGE) if project.is_file() else None
    if found is not None:
        return found
    try:
        return metadata_of_install(importlib.metadata.distribution(PACKAGE))
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            f"{home} is neither an installed package nor a checkout", hint="install Batonpass with pip, then try again"
        ) from None


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"{package} is not a folder that could be packed", hint="install Batonpass with pip, then try again"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) of every file that belongs to the package, links followed; a checkout's other files stay out."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "__pycache__" and (path.name in _DATA_FOLDERS or path.name.isidentifier()):
            yield from ((f"{path.name}/{name}", inner) for name, inner in _files(path))
        elif path.is_file() and _belongs(path, folder):
            yield path.name, path


def _belongs(path: Path, folder: Path) -> bool:
    if folder.name in _DATA_FOLDERS:
        return path.name not in (".DS_Store", "secrets.toml")
    return path.suffix in (".py", ".csv") or path.name == "py.typed"


def _pack(files: dict[str, bytes], info: str) -> bytes:
    record = f"{info}/RECORD"
    lines = [f"{name},{_record_hash(body)},{len(body)}" for name, body in files.items()]
    files = files | {record: "\n".join([*lines, f"{record},,", ""]).encode()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, body in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, body)
    return packed.getvalue()


def _record_hash(body: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
