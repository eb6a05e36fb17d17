"""Finds the files in a trainer's output folder that hold metrics, by kind, in the order in which they were begun."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from batonpass.core.metrics.foreign.point import clean_name
from batonpass.sync.structure import HF_FOLDER

DEPTH = 6
FILES_LIMIT = 1000
_EVENTS = re.compile(r"tfevents\.(\d+)")
_LAUNCH = re.compile(
    r"lightning_logs|tb_logs|tensorboard|runs|logs|version_\d+|\d{9,}(\.\d+)?|\d{4}-?\d\d-?\d\d.*|\d\d-\d\d-\d\d|[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d.*"
)
"""Folders that say where or when a trainer was started and not what is measured: they are no part of a metric's name."""
_PLAIN_NAMES = frozenset(
    ("metrics", "results", "log", "logs", "history", "progress", "training", "training_log", "trainer_log")
)
"""Tables that hold all of a training; another name ("val.csv") says which part of it, and comes before the metrics' names."""
_DIGITS = re.compile(r"(\d+)")


class Kind(IntEnum):
    """The kinds of sources, best first: live and complete before late, made for reading before guessed."""

    EVENTS = 1
    HISTORY = 2
    CSV = 3
    JSON_LINES = 4

    @property
    def words(self) -> str:
        """Its name for people."""
        return {1: "TensorBoard events", 2: "trainer_state.json", 3: "CSV", 4: "JSON lines"}[self.value]


@dataclass(frozen=True, slots=True)
class Found:
    """One file, and what stands before the names of its metrics."""

    kind: Kind
    path: Path
    prefix: str
    launch: str
    """The folder of the trainer that writes it, relative to the watched one."""
    order: tuple[object, ...]


def find_sources(folder: Path) -> dict[Kind, list[Found]]:
    """What may hold metrics below `folder`, up to `FILES_LIMIT` files of a kind, each kind in order. Hidden names and links are
    passed over; of the inside of a `checkpoint-<n>` only `trainer_state.json` counts. Unreadable folders are passed over.
    """
    found: dict[Kind, list[tuple[Path, tuple[str, ...], tuple[str, ...]]]] = {}
    for path, parts in _walk(folder, ()):
        kind = _kind_of(path, parts)
        if kind is None:
            continue
        launch = parts[:-1] if parts and HF_FOLDER.fullmatch(parts[-1]) else parts
        found.setdefault(kind, []).append((path, parts, launch))
    return {kind: _in_order(kind, files) for kind, files in sorted(found.items())}


def _in_order(kind: Kind, files: list[tuple[Path, tuple[str, ...], tuple[str, ...]]]) -> list[Found]:
    launches = {launch for _, _, launch in files}
    made = []
    for path, parts, each in files:
        launch = each
        while kind is Kind.HISTORY and each == parts and launch and launch[:-1] in launches:
            launch = launch[:-1]  # a copy of a checkpoint under another name ("best"), beside the others
        named = [part for part in launch if not _LAUNCH.fullmatch(part)]
        if kind in (Kind.CSV, Kind.JSON_LINES) and path.stem.lower() not in _PLAIN_NAMES:
            named.append(path.stem)
        prefix = clean_name("/".join(named))
        made.append(Found(kind, path, prefix, "/".join(launch), _order(kind, path, parts)))
    return sorted(made, key=lambda found: found.order)[-FILES_LIMIT:]


def _kind_of(path: Path, parts: tuple[str, ...]) -> Kind | None:
    if path.name == "trainer_state.json":
        return Kind.HISTORY
    if parts and HF_FOLDER.fullmatch(parts[-1]):
        return None
    if _EVENTS.search(path.name):
        return Kind.EVENTS
    return {".csv": Kind.CSV, ".log": Kind.CSV, ".jsonl": Kind.JSON_LINES, ".ndjson": Kind.JSON_LINES}.get(
        path.suffix.lower()
    )


def _order(kind: Kind, path: Path, parts: tuple[str, ...]) -> tuple[object, ...]:
    """Event files by the second they were begun in, which their names say; others by their names, numbers as numbers."""
    began = _EVENTS.search(path.name) if kind is Kind.EVENTS else None
    text = "/".join((*parts, path.name))
    pieces = tuple((int(p[:18]), "") if p.isdecimal() else (-1, p) for p in _DIGITS.split(text) if p)
    return (int(began[1][:18]) if began else 0, pieces)


def _walk(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    try:
        with os.scandir(folder) as entries:
            listed = [
                (e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False))
                for e in entries
                if not e.name.startswith(".")
            ]
    except OSError:
        return
    for name, is_folder, is_file in listed:
        if is_file:
            yield folder / name, parts
        elif is_folder and len(parts) < DEPTH and not (parts and HF_FOLDER.fullmatch(parts[-1])):
            yield from _walk(folder / name, (*parts, name))
