"""The file behind a metric log: whole lines appended, a torn last line cut, read from any row on without reading it all."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from batonpass.core.metrics.row import Row, decode_line

INDEX_EVERY_BYTES = 65_536


def read_rows(path: Path, first_row: int = 0) -> list[Row]:
    """The rows of a log that another process wrote (or left behind), from `first_row` on. Changes nothing; passes over what is
    no whole line. Empty when there is no file. OSError when it cannot be read.
    """
    return _read(path, first_row, 0) if path.exists() else []


class LogFile:
    """Appends to one log file. One writer at a time; `read` may be called from other threads. OSError from the constructor when
    the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.next_row = 0
        """One more than the largest row in the file when it was opened."""
        self._file = path.open("ab", buffering=0)
        self._index: list[tuple[int, int]] = [(0, 0)]  # (a row, the offset of its line), growing
        self._size = 0
        self._recover()

    def append(self, lines: bytes, first_row: int) -> None:
        """Write whole lines, the first of which is `first_row`. OSError leaves the file as it was before, as far as the disk lets it."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self._cut()
            raise
        self._note(first_row, self._size)
        self._size += len(lines)

    def read(self, first_row: int = 0) -> list[Row]:
        """The rows in the file from `first_row` on, in the order of their numbers."""
        place = bisect_right(self._index, (first_row, 2**63)) - 1
        return _read(self.path, first_row, self._index[max(place, 0)][1])

    def close(self) -> None:
        """Close the file; a second call is fine."""
        self._file.close()

    def _note(self, row: int, offset: int) -> None:
        if offset - self._index[-1][1] >= INDEX_EVERY_BYTES:
            self._index.append((row, offset))

    def _cut(self) -> None:
        try:
            self._file.truncate(self._size)
        except OSError:
            self._size = self.path.stat().st_size  # a torn line stays; every reader passes over it

    def _recover(self) -> None:
        """Count the rows of the file, and cut a line that a killed process left half written."""
        with self.path.open("rb") as lines:
            for line in lines:
                row = decode_line(line) if line.endswith(b"\n") else None
                if row is not None:
                    self.next_row = max(self.next_row, row.row + 1)
                    self._note(row.row, self._size)
                if line.endswith(b"\n"):
                    self._size += len(line)
        self._file.truncate(self._size)


def _read(path: Path, first_row: int, offset: int) -> list[Row]:
    with path.open("rb") as lines:
        lines.seek(offset)
        rows = [decode_line(line) for line in lines if line.endswith(b"\n")]
    return [row for row in rows if row is not None and row.row >= first_row]
