"""One reader per kind of metric file: each look gives the points that are new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from batonpass.core.metrics.foreign.csv_rows import CsvParser
from batonpass.core.metrics.foreign.events import EventParser
from batonpass.core.metrics.foreign.framing import scan_records
from batonpass.core.metrics.foreign.json_rows import JsonLinesParser, parse_log_history
from batonpass.core.metrics.foreign.point import Point, with_prefix
from batonpass.sync.trainer_metrics.growing import GrowingFile, Stretch
from batonpass.sync.trainer_metrics.seen import Seen

CHUNK_BYTES = 4 << 20
LINE_LIMIT_BYTES = 1 << 20
"""A longer line is no row of numbers: it is passed over."""
HISTORY_LIMIT_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """What one look at a file gave."""

    points: list[Point] = field(default_factory=list)
    behind: bool = False
    """There is more to be read at once."""
    complaints: tuple[str, ...] = ()


class MetricFile(Protocol):
    """A file that is followed. OSError as reading gives it."""

    def read(self) -> Batch:
        """The points that are new since the last call."""
        ...


class LineParser(Protocol):
    """What makes points of lines."""

    refused: str

    def take(self, line: bytes) -> Point | None:
        """The point of one line, None when it holds none."""
        ...


class EventFile:
    """A TensorBoard event file. Where the length of a record is damaged nothing behind it can be found: that is said, and reading ends."""

    def __init__(self, path: Path, prefix: str) -> None:
        self._file = GrowingFile(path)
        self._prefix = prefix
        self._parser = EventParser()
        self._lost = False

    def read(self) -> Batch:
        """The points of the whole records that are new; one that is still written is waited for."""
        stretch = None if self._lost else self._file.read(CHUNK_BYTES)
        if stretch is None:
            return Batch()
        if stretch.anew:
            self._parser = EventParser()
        scan = scan_records(stretch.data)
        strange = self._parser.strange
        points = [_complete(point, self._prefix, stretch.modified_s) for point in self._parser.take(scan.records)]
        self._file.advance(stretch.data[: scan.used])
        if jumps := 0 < scan.ahead <= stretch.left_bytes - scan.used:
            self._file.jump(scan.ahead)
        self._lost = scan.lost
        said = []
        if count := scan.damaged + self._parser.strange - strange:
            said.append(f"{count} of its records {'is' if count == 1 else 'are'} damaged and passed over")
        if scan.lost:
            said.append(f"it is damaged at byte {self._file.offset:,}; what follows cannot be read")
        return Batch(points, jumps or (not stretch.at_end and scan.used > 0 and not scan.lost), tuple(said))


class LineFile:
    """A CSV or JSON Lines file. A last line without its end is waited for; a file that is written anew gives what differs."""

    def __init__(self, path: Path, prefix: str, make_parser: Callable[[], LineParser]) -> None:
        self._file = GrowingFile(path)
        self._prefix = prefix
        self._make_parser = make_parser
        self._parser = make_parser()
        self._seen = Seen()
        self._skipping = False

    def read(self) -> Batch:
        """The points of the whole lines that are new."""
        stretch = self._file.read(CHUNK_BYTES)
        if stretch is None:
            return Batch()
        if stretch.anew:
            self._parser, self._skipping = self._make_parser(), False
            self._seen.begin_again()
        elif self._parser.refused:
            self._file.jump(stretch.left_bytes)
            return Batch()
        used = stretch.data.rfind(b"\n") + 1
        points = self._points(stretch, stretch.data[:used])
        said: tuple[str, ...] = ()
        if len(stretch.data) - used > LINE_LIMIT_BYTES:
            said = () if self._skipping else ("a line of more than a megabyte is passed over",)
            self._skipping, used = True, len(stretch.data)
        self._file.advance(stretch.data[:used])
        if self._parser.refused:
            self._file.jump(stretch.left_bytes - used)
        return Batch(points, not stretch.at_end and not self._parser.refused, said)

    def _points(self, stretch: Stretch, whole: bytes) -> list[Point]:
        found = []
        for line in whole.split(b"\n")[:-1]:
            if self._skipping:  # the end of a line that was too long
                self._skipping = False
                continue
            point = self._parser.take(line) if len(line) <= LINE_LIMIT_BYTES else None
            if point is not None and self._seen.is_new(point):
                found.append(_complete(point, self._prefix, stretch.modified_s))
        return found


class History:
    """The `trainer_state.json` of one Trainer: each checkpoint holds the whole history so far, and the newest file is the one to read."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen = Seen()
        self._read: tuple[object, ...] | None = None
        self.paths: list[Path] = []
        """The files of this Trainer that are there now."""

    def read(self) -> Batch:
        """The entries of the newest file that no earlier one had; a file that is not whole is looked at again when it has changed."""
        marks = []
        for path in self.paths:
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # its checkpoint was just rotated away
            marks.append((stat.st_mtime_ns, stat.st_size, stat.st_ino, path))
        newest = max(marks, default=None)
        if newest is None or newest == self._read:
            return Batch()
        modified_ns, size_bytes, _, path = newest
        if size_bytes > HISTORY_LIMIT_BYTES:
            self._read = newest
            return Batch(complaints=(f"{path.name} is larger than {HISTORY_LIMIT_BYTES >> 20} MB and is not read",))
        content = path.read_bytes()
        self._read = newest  # only now: an error of the disk is no reading, and is tried again
        try:
            points = parse_log_history(content)
        except ValueError:
            return Batch()  # it is being written, or is no such file
        self._seen.begin_again()
        return Batch(
            [_complete(point, self._prefix, modified_ns / 1e9) for point in points if self._seen.is_new(point)]
        )


def csv_file(path: Path, prefix: str) -> LineFile:
    """A CSV file; one that is not named so ("training.log") must begin with the column "epoch", as Keras's CSVLogger writes it."""
    first = None if path.suffix.lower() == ".csv" else "epoch"
    return LineFile(path, prefix, lambda: CsvParser(first_column=first))


def json_lines_file(path: Path, prefix: str) -> LineFile:
    """A JSON Lines file."""
    return LineFile(path, prefix, JsonLinesParser)


def _complete(point: Point, prefix: str, modified_s: float) -> Point:
    """With the folder's name, and the file's time where the file says none."""
    named = with_prefix(point, prefix)
    return named if named.at is not None else named._replace(at=modified_s)
