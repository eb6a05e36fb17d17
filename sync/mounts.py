"""Which folders some program keeps in step with a Drive, whether they are there right now, and the marks such programs leave behind.
A path below a mount that is not live is an ordinary folder that nobody will ever see again: nothing may be created there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from batonpass.core.errors import NotOurFolderError
from batonpass.sync.stores.os_errors import is_missing, store_error

COLAB = "colab"
DESKTOP = "desktop"
NAMED = "named"
"""Kinds of mounts: Colab's FUSE mount, Drive for desktop, and what BATONPASS_MOUNT_POINTS names."""

_DRIVES = {"MyDrive", "My Drive"}
_SHARED = {"Shareddrives", "Shared drives", "Othercomputers", "Other computers", ".shortcut-targets-by-id"}
_COLAB_POINTS = ("/content/drive", "/content/gdrive")
_CONFLICT = re.compile(
    r"(?P<stem>.+?)(?: \((?P<number>\d+)\)| - Copy(?: \(\d+\))?| \[Conflict[^\]]*\]| \(conflicted copy[^)]*\)| copy(?: \d+)?)"
    r"(?P<suffix>(?:\.[A-Za-z0-9]+)*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that lies under a mounted Drive. `floor` is the deepest folder above it that only the mount itself may create."""

    point: Path
    floor: Path
    kind: str
    is_mount: Callable[[Path], bool] = os.path.ismount

    def require_live(self) -> None:
        """Pass only while the Drive is really there. NotOurFolderError where it is not mounted; StoreUnreachableError where it is
        mounted and does not answer.
        """
        try:
            self.point.lstat()
            live = self.is_mount(self.point) if self.kind == COLAB else _holds_something(self.point)
            floor_is_there = live and self.floor.is_dir()
        except OSError as error:
            if not is_missing(error):
                raise store_error(error, op="mount", key="", place=str(self.point)) from error
            live = floor_is_there = False
        if not live:
            raise NotOurFolderError(f"no Drive is mounted at {self.point}", op="mount", hint=self._hint())
        if not floor_is_there:
            raise NotOurFolderError(
                f"the Drive mounted at {self.point} has no folder {self.floor.relative_to(self.point)}",
                op="mount",
                hint="check the path, and whether the Drive of the right account is mounted",
            )

    def _hint(self) -> str:
        if self.kind == COLAB:
            return f"run drive.mount first: from google.colab import drive; drive.mount({str(self.point)!r})"
        return "start Drive for desktop (or whatever keeps this folder in step) and wait until the folder has its files"


def find_mount(
    path: Path,
    points: Iterable[Path] = (),
    *,
    home: Path | None = None,
    is_mount: Callable[[Path], bool] = os.path.ismount,
) -> Mount | None:
    """The mounted Drive that `path` lies under, there or not, or None for an ordinary folder.

    `points` are the user's own (Settings.mount_points); `home` is where Drive for desktop is looked for (default: the user's).
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  # resolves ".." without asking a mount that may be dead
    for point in points:
        absolute = Path(os.path.abspath(point))  # noqa: PTH100
        if path.is_relative_to(absolute):
            return _mount(absolute, path, NAMED, is_mount)
    colab = _colab_point(path)
    if colab is not None:
        return _mount(colab, path, COLAB, is_mount)
    desktop = _desktop_point(path, home or Path.home())
    return _mount(desktop, path, DESKTOP, is_mount) if desktop is not None else None


def conflicts(folder: Path) -> list[str]:
    """Names in `folder` that a syncing program made because two writers met, as "head (1).json"; sorted. OSError as `os.scandir`."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if conflict_of(entry.name) is not None)


def conflict_of(name: str) -> str | None:
    """The name that a conflict copy is a copy of, or None for an ordinary name. None of our own names looks like one.

    >>> conflict_of("head (1).json")
    'head.json'
    >>> conflict_of("head.json") is None
    True
    """
    match = _CONFLICT.fullmatch(name)
    return f"{match['stem']}{match['suffix']}" if match else None


def _holds_something(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def _mount(point: Path, path: Path, kind: str, is_mount: Callable[[Path], bool]) -> Mount:
    inside = path.relative_to(point).parts
    depth = 1 if inside[:1] and inside[0] in _DRIVES else 2 if inside[:1] and inside[0] in _SHARED else 0
    return Mount(point, point.joinpath(*inside[:depth]), kind, is_mount)


def _colab_point(path: Path) -> Path | None:
    """Colab mounts by custom at /content/drive; any /content/<name>/MyDrive can only be meant as a mount as well."""
    for point in _COLAB_POINTS:
        if path.is_relative_to(point):
            return Path(point)
    parts = path.parts
    if len(parts) >= 4 and parts[1] == "content" and parts[3] in _DRIVES | _SHARED:
        return Path(*parts[:3])
    return None


def _desktop_point(path: Path, home: Path) -> Path | None:
    cloud = home / "Library" / "CloudStorage"
    if path.is_relative_to(cloud):
        first = path.relative_to(cloud).parts[:1]
        return cloud / first[0] if first and first[0].startswith("GoogleDrive") else None
    for name in ("Google Drive", "GoogleDrive"):
        if path.is_relative_to(home / name):
            return home / name
    point = windows_point(PureWindowsPath(path))
    return Path(point) if point is not None else None


def windows_point(path: PureWindowsPath) -> PureWindowsPath | None:
    """The drive letter under which Drive for desktop shows itself on Windows, or None."""
    shows_drive = bool(path.drive) and len(path.parts) > 1 and path.parts[1] in _DRIVES | _SHARED
    return PureWindowsPath(path.anchor) if shows_drive else None
