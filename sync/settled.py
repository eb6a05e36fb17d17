"""Finds the checkpoints in another trainer's output folder and says which have stopped changing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from batonpass.core.sidecar import is_sidecar, sidecar_path
from batonpass.sync.structure import HF_FOLDER, SUFFIXES

_DEPTH = 6
_SHARD = re.compile(r"-\d+-of-\d+\.")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class FileMark:
    """One file as the system describes it; any writing changes it. Times in ns."""

    name: str
    """Relative to the watched folder, POSIX."""
    size_bytes: int
    modified_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file or a `checkpoint-<n>` folder that may be a checkpoint."""

    path: Path
    name: str
    """Relative to the watched folder, POSIX."""
    marks: tuple[FileMark, ...]

    @property
    def family(self) -> str:
        """Its name without numbers: of one family only the newest is of interest."""
        return family_of(self.name)

    @property
    def numbered(self) -> bool:
        """The trainer writes a new name each time, as opposed to "last.ckpt"."""
        return self.family != self.name

    @property
    def modified_ns(self) -> int:
        """When its newest file was written."""
        return max((mark.modified_ns for mark in self.marks), default=0)


def family_of(name: str) -> str:
    """A name without its numbers.

    >>> family_of("checkpoint-500")
    'checkpoint-#'
    """
    return _DIGITS.sub("#", name)


def mark_file(path: Path, name: str) -> FileMark:
    """The mark of one file. OSError where it is gone."""
    stat = path.stat()
    return FileMark(name, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def candidate_of(path: Path) -> Candidate:
    """One file or folder as it is now, under its own name, whatever that is. OSError where it cannot be read."""
    files = list(_files(path)) if path.is_dir() else _with_sidecar(path)
    marks = tuple(mark_file(file, file.relative_to(path.parent).as_posix()) for file in files)
    return Candidate(path, path.name, marks)


def find_candidates(folder: Path) -> list[Candidate]:
    """Everything below `folder` that is named like a checkpoint, whole or not. Links and hidden names are passed over; so are
    shards ("model-00001-of-00003.safetensors") outside a checkpoint's folder, because one alone is nothing. A side-car is part of
    the checkpoint that it lies beside.

    OSError when the folder itself cannot be read; what vanishes meanwhile is passed over.
    """
    os.scandir(folder).close()
    return sorted(_walk(folder, folder, 0), key=lambda candidate: candidate.name)


def _walk(root: Path, folder: Path, depth: int) -> Iterator[Candidate]:
    for path in _entries(folder):
        name = path.relative_to(root).as_posix()
        if path.is_dir():
            if HF_FOLDER.fullmatch(path.name):
                yield from _candidate(path, name, list(_files(path)), root)
            elif depth < _DEPTH:
                yield from _walk(root, path, depth + 1)
        elif path.suffix.lower() in SUFFIXES and not _SHARD.search(path.name) and not is_sidecar(path.name):
            yield from _candidate(path, name, _with_sidecar(path), root)


def _candidate(path: Path, name: str, files: list[Path], root: Path) -> Iterator[Candidate]:
    try:
        marks = tuple(mark_file(file, file.relative_to(root).as_posix()) for file in files)
    except OSError:
        return  # it is being rotated away
    if marks:
        yield Candidate(path, name, marks)


def _with_sidecar(path: Path) -> list[Path]:
    beside = sidecar_path(path)
    return [path, beside] if beside.is_file() and not beside.is_symlink() else [path]


def _files(folder: Path) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            names = [each.name for each in found if not each.is_symlink() and not each.name.startswith(".")]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


@dataclass(slots=True)
class Settling:
    """Remembers one look, so that the next can say what has not changed since."""

    _before: dict[str, tuple[FileMark, ...]] = field(default_factory=dict)

    def look(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that are exactly as they were at the look before."""
        settled = [c for c in candidates if self._before.get(c.name) == c.marks]
        self._before = {c.name: c.marks for c in candidates}
        return settled


def newest_of_each_family(candidates: list[Candidate]) -> list[Candidate]:
    """Oldest first, so that the newest of all is published last; "best.pt" and "last.pt" are two families."""
    newest: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: (c.modified_ns, c.name)):
        newest[candidate.family] = candidate
    return sorted(newest.values(), key=lambda c: (c.modified_ns, c.name))
