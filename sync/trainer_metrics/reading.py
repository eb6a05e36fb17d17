"""Follows the metric files of one watched folder: chooses the kind to read, and gives on what is new at each look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batonpass.sync.trainer_metrics.files import Batch, EventFile, History, MetricFile, csv_file, json_lines_file
from batonpass.sync.trainer_metrics.intake import Intake
from batonpass.sync.trainer_metrics.sources import Found, Kind, find_sources
from batonpass.sync.trainer_metrics.stored import Before

READS_PER_LOOK = 2
"""So many chunks at most are read in one look, so that the checkpoints are not kept waiting by a long history."""


@dataclass(frozen=True, slots=True)
class MetricSource:
    """What the metrics of a folder are read from: "" until a file has held some."""

    words: str = ""
    files: int = 0


class TrainerMetrics:
    """The metrics of a folder. One kind of source is read, so that no number is drawn twice: the first of `Kind` that holds any,
    or the one that the sessions before have read.
    """

    def __init__(
        self, folder: Path, intake: Intake, *, read_before: Callable[[], Before], say: Callable[[str], None]
    ) -> None:
        """`read_before` is called once, when there is a first file; what it raises comes out of `look`, and the next look tries again."""
        self._folder = folder
        self._intake = intake
        self._read_before: Callable[[], Before] | None = read_before
        self._say = say
        self._files: dict[tuple[Kind, str], MetricFile] = {}
        self._kind: Kind | None = None
        self.source = MetricSource()

    def look(self) -> bool:
        """Take in what is new; True when there is more to be read at once. StoreError of the first look."""
        found = find_sources(self._folder)
        if not found:
            return False
        if self._read_before is not None:
            before = self._read_before()
            for text in before.unread:
                self._say(f"metrics that were logged before could not be compared: {text}")
            self._intake.follow(before)
            self._read_before = None
        first: dict[MetricFile, Batch] = {}
        if self._kind is None:
            self._kind, first = self._choose(found)
        if self._kind is None:
            return any(batch.behind for batch in first.values())
        self.source = MetricSource(self._kind.words, len(found.get(self._kind, ())))
        return self._read(found.get(self._kind, []), first)

    def _choose(self, found: dict[Kind, list[Found]]) -> tuple[Kind | None, dict[MetricFile, Batch]]:
        """The kind to read, and what choosing has read of it already."""
        read = {kind: self._first_batches(kind, files) for kind, files in found.items()}
        every = {batch_file: batch for batches in read.values() for batch_file, batch in batches.items()}
        for kind, batches in read.items():
            if any(self._intake.knows(batch.points) for batch in batches.values()):
                try:
                    self._intake.go_on()
                except BaseException:
                    self._files.clear()  # nothing was taken in: the next look reads from the beginning
                    raise
                return kind, batches
        for kind, batches in read.items():
            if any(batch.points for batch in batches.values()):
                return kind, batches
        return None, every

    def _first_batches(self, kind: Kind, files: list[Found]) -> dict[MetricFile, Batch]:
        """The first chunk of each file up to the first that holds points: the files behind it are read in their turn."""
        batches: dict[MetricFile, Batch] = {}
        for file, name in self._open(kind, files):
            batch = batches[file] = self._read_one(file, name)
            reads = 1
            while batch.behind and not batch.points and reads < READS_PER_LOOK:
                reads += 1
                batch = batches[file] = self._read_one(file, name)
            if batch.points:
                break
        return batches

    def _read(self, files: list[Found], first: dict[MetricFile, Batch]) -> bool:
        reads = 0
        for file, name in self._open(self._kind or Kind.EVENTS, files):
            batch = first.pop(file, None) or self._read_one(file, name)
            self._intake.take(batch.points, id(file))
            reads += 1
            while batch.behind:
                if reads >= READS_PER_LOOK:
                    return True
                reads += 1
                batch = self._read_one(file, name)
                self._intake.take(batch.points, id(file))
        return False

    def _open(self, kind: Kind, files: list[Found]) -> list[tuple[MetricFile, str]]:
        """Each file's reader once, in order, with its name for people."""
        opened: dict[MetricFile, str] = {}
        paths: dict[str, list[Path]] = {}
        for found in files:
            key = found.launch if kind is Kind.HISTORY else str(found.path)
            paths.setdefault(key, []).append(found.path)
            if (kind, key) not in self._files:
                self._files[kind, key] = _reader(found)
            opened[self._files[kind, key]] = found.path.name
        for key, those in paths.items():
            reader = self._files[kind, key]
            if isinstance(reader, History):
                reader.paths = those
        return list(opened.items())

    def _read_one(self, file: MetricFile, name: str) -> Batch:
        try:
            batch = file.read()
        except OSError as error:
            self._say(f"metrics in {name} cannot be read: {error.strerror or error}; it is tried again")
            return Batch()
        for text in batch.complaints:
            self._say(f"metrics in {name}: {text}")
        return batch


def _reader(found: Found) -> MetricFile:
    if found.kind is Kind.EVENTS:
        return EventFile(found.path, found.prefix)
    if found.kind is Kind.HISTORY:
        return History(found.prefix)
    return csv_file(found.path, found.prefix) if found.kind is Kind.CSV else json_lines_file(found.path, found.prefix)
