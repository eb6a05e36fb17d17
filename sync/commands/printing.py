"""What the commands print: results on stdout, progress on stderr and only where a person looks at it."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from batonpass.core.amounts import duration, size
from batonpass.core.progress import Rate, pace_words


def plain(text: str) -> str:
    """Text that may come from a store, without what a terminal would obey: control and direction characters become "?"."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "?" for c in text)


def show(text: str = "") -> None:
    """A line of the result."""
    _write(sys.stdout, plain(text))


def show_code(code: str) -> None:
    """Code that is to be pasted, as it is; whoever made it has put every foreign value through `repr`."""
    _write(sys.stdout, code)


def note(text: str) -> None:
    """A line beside the result: warnings, what is being done."""
    _write(sys.stderr, plain(text))


def show_json(tree: Any) -> None:
    """The result as one JSON document; times are ISO 8601 in UTC."""
    _write(sys.stdout, json.dumps(tree, indent=1, default=_as_text, allow_nan=False))


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Rows of equal length in columns; the first row is the heading."""
    clean = [[plain(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in clean) for column in range(len(clean[0]))]
    for row in clean:
        _write(sys.stdout, "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def ago(moment: datetime, now: datetime) -> str:
    """How long before `now` that was."""
    return f"{duration(max((now - moment).total_seconds(), 0.0))} ago"


class ProgressLine:
    """One line on stderr that is written over again, at most ten times a second; silent where stderr is no terminal."""

    def __init__(
        self, what: str, *, stream: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._monotonic = monotonic
        self._seen = self._stream.isatty()
        self._drawn_at = -1.0
        self._rate = Rate(clock=monotonic)

    def update(self, detail: str, done_bytes: int, total_bytes: int) -> None:
        """`detail` is what is being worked on; both amounts are in bytes."""
        now = self._monotonic()
        self._rate.see(done_bytes)
        if not self._seen or (now - self._drawn_at < 0.1 and done_bytes < total_bytes):
            return
        self._drawn_at = now
        share = done_bytes / total_bytes if total_bytes else 1.0
        pace = pace_words(done_bytes, total_bytes, self._rate.bytes_per_s)
        bar = "#" * round(24 * share)
        line = f"{self._what} [{bar:<24}] {share:4.0%} {size(done_bytes)} of {size(total_bytes)}{pace}  {plain(detail)}"
        self._stream.write(f"\r\x1b[2K{line[:118]}")
        self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._seen and self._drawn_at >= 0:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()


def _as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
