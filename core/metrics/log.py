"""The notebook's side of metrics: takes values in microseconds, and a thread of its own brings them into a file.

Never raises into the loop, never waits for a disk or a GPU: what cannot be kept is counted in `dropped`, with the reason.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batonpass.core.metrics.logfile import LogFile
from batonpass.core.metrics.row import MAX_INT, Row, encode_line
from batonpass.core.metrics.scalar import OnItsWay, to_scalar

DRAIN_EVERY_S = 0.25
WAITING_LIMIT = 100_000
"""Values that may wait for the disk; further ones are dropped and counted."""
NAMES_LIMIT = 10_000
NAME_LENGTH_LIMIT = 200
CHUNK = 128
"""Log calls per write, so that the thread lets go of the interpreter often."""


_Values = list[tuple[str, "float | OnItsWay"]]
_Entry = tuple[int, int, float, float, _Values]
"""First row, step, epoch, Unix time in seconds, values. The loop makes one in each call, and a plain tuple is the least that can be made."""


class MetricLog:
    """A crash-safe metric log on `path` (JSON lines, created with its folder; an existing one is continued).

    What is logged is with the operating system within a second, so that it survives a kill of the process. `log` may be called
    from any thread. OSError from the constructor when the file cannot be opened; never an error afterwards.
    """

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)
        self.newest: dict[str, float] = {}
        """The latest value of each name. A value on a GPU appears once its copy has arrived."""
        self.dropped = 0
        """Values that could not be kept."""
        self.last_reason = ""
        """Why the last one was dropped, in a few words."""
        self.trouble = ""
        """Why the disk does not take what waits now (it is tried again four times a second); empty when all is well."""
        self.failed_writes = 0
        self._rows = self._file.next_row
        self._done = self._rows  # rows below are in the file or dropped; written by the drainer only
        self._names: dict[str, str] = {}  # name -> name as JSON
        self._queue: deque[_Entry] = deque()
        self._unwritten: tuple[bytes, int, int] | None = None  # lines, first row, row after the last
        self._lock = threading.Lock()  # among callers of log only: the drainer never makes the loop wait
        self._wake = threading.Event()
        self._moved = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="batonpass-metrics", daemon=True)
        self._thread.start()

    @property
    def rows(self) -> int:
        """How many row numbers are given out: the next row's number."""
        return self._rows

    def log(self, step: int, epoch: float, values: Mapping[str, Any], at: float | None = None) -> None:
        """Take the values of one step. `at` is Unix time in seconds (default: now).

        Takes ints, floats, bools, NumPy scalars and 0-d arrays and tensors; on a GPU too, without synchronising it.
        """
        try:
            if type(step) is not int or abs(step) > MAX_INT:
                raise TypeError(f"a step is an int, not {step!r:.40}")  # noqa: TRY301
            epoch, at = float(epoch), time.time() if at is None else float(at)
            if not (math.isfinite(epoch) and math.isfinite(at)):
                raise ValueError("epoch and time are finite numbers")  # noqa: TRY301
            known = self._names
            plain: _Values = [pair for pair in values.items() if type(pair[1]) is float and pair[0] in known]
            if len(plain) == len(values):  # nearly every call
                self._enqueue(step, epoch, at, plain, plain)
            else:
                taken = self._take_each(values)
                self._enqueue(step, epoch, at, taken, [pair for pair in taken if not isinstance(pair[1], OnItsWay)])
        except Exception as error:  # noqa: BLE001  # any object may be handed in, and the loop must go on; counted and shown
            self._drop(1, error)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything logged so far is in the file; False when that took longer."""
        target = self._rows
        deadline = time.monotonic() + timeout_s
        with self._moved:
            while self._done < target:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._wake.set()
                self._moved.wait(min(left, 0.02))
        return True

    def read(self, first_row: int = 0) -> list[Row]:
        """The rows from `first_row` on that have reached the file (`flush` first to have them all). OSError if it cannot be read."""
        return self._file.read(first_row)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, as far as `timeout_s` allows, and stop. A second call is fine; later values are dropped."""
        self.flush(timeout_s)
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._file.close()

    def _take_each(self, values: Mapping[str, Any]) -> _Values:
        taken: _Values = []
        for name, value in values.items():
            try:
                if name not in self._names:
                    self._names[name] = self._accept(name)
                taken.append((name, to_scalar(value)))
            except Exception as error:  # noqa: BLE001  # one bad value must not cost its neighbours; counted and shown
                self._drop(1, error, name)
        return taken

    def _accept(self, name: str) -> str:
        if type(name) is not str or not 0 < len(name) <= NAME_LENGTH_LIMIT:
            raise TypeError(f"a metric's name is a text of 1 to {NAME_LENGTH_LIMIT} characters")
        if len(self._names) >= NAMES_LIMIT:
            raise ValueError(f"more than {NAMES_LIMIT:,} different names")
        name.encode()  # a lone surrogate has no place in Parquet
        return json.dumps(name)

    def _enqueue(self, step: int, epoch: float, at: float, taken: _Values, here: _Values) -> None:
        """`here` are those of `taken` that are numbers already."""
        if not taken:
            return
        with self._lock:
            first = self._rows
            end = first + len(taken)
            if self._closing or end - self._done > WAITING_LIMIT:
                reason = "the log is closed" if self._closing else f"{WAITING_LIMIT:,} values wait for the disk already"
                self._drop(len(taken), reason)
                return
            self._queue.append((first, step, epoch, at, taken))
            self._rows = end
        self.newest.update(here)  # type: ignore[arg-type]  # numbers, as the docstring says

    def _drop(self, count: int, why: Exception | str, name: object = "") -> None:
        self.dropped += count
        prefix = f"{name!r:.60}: " if name else ""
        self.last_reason = (
            f"{prefix}{why!s:.200}" if isinstance(why, str) else f"{prefix}{type(why).__name__}: {why!s:.200}"
        )

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(DRAIN_EVERY_S)
            self._wake.clear()
            try:
                while self._unwritten or self._encode():
                    self._write()
                self.trouble = ""
            except OSError as error:
                self.failed_writes += 1
                self.trouble = f"{error.strerror or error} ({self._file.path.name})"

    def _encode(self) -> bool:
        """Turn the next entries into lines; False when none is ready."""
        lines: list[str] = []
        entries = 0
        first_row = end_row = self._done
        while self._queue and entries < CHUNK and all(self._arrived(v) for _, v in self._queue[0][-1]):
            first, step, epoch, at, values = self._queue.popleft()
            entries += 1
            for row, (name, value) in enumerate(values, first):
                number = self._number(name, value)
                if number is not None:
                    lines.append(encode_line(Row(row, step, epoch, at, name, number), self._names[name]))
            end_row = first + len(values)
        if entries:
            self._unwritten = ("".join(lines).encode(), first_row, end_row)
        return bool(entries)

    def _arrived(self, value: float | OnItsWay) -> bool:
        try:
            return not isinstance(value, OnItsWay) or value.ready()
        except Exception:  # noqa: BLE001  # a broken device: `_number` asks again, counts and shows it
            return True

    def _number(self, name: str, value: float | OnItsWay) -> float | None:
        if not isinstance(value, OnItsWay):
            return value
        try:
            number = value.take()
        except Exception as error:  # noqa: BLE001  # a broken device breaks this value only; counted and shown
            self._drop(1, error, name)
            return None
        self.newest[name] = number
        return number

    def _write(self) -> None:
        assert self._unwritten is not None
        lines, first_row, end_row = self._unwritten
        self._file.append(lines, first_row)
        self._unwritten = None
        with self._moved:
            self._done = end_row
            self._moved.notify_all()
