"""Numbers about what went over the wire."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

_UNITS = {"list": 100, "get": 5, "insert": 50, "update": 50, "delete": 50, "trash": 50}
"""Google's price of a call in quota units, by what it does; anything else costs 5. Content of a session is paid with its opening."""


def units(op: str) -> int:
    """What a call costs."""
    if op == "media.get":
        return 200
    if op in ("upload.put", "upload.query", "token", "sign_in.page"):
        return 0
    return _UNITS.get(op.partition(".")[2], 5)


class Log:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.requests = 0
            self.bytes_in = 0
            self.bytes_out = 0
            self.bytes_lost = 0
            self.units = 0
            self.by_op: Counter[str] = Counter()
            self.by_status: Counter[str] = Counter()

    def add(self, op: str, status: int, bytes_in: int, bytes_out: int, lost: int = 0) -> None:
        """One call; bytes are those of bodies, `lost` those of an upload that were not kept. Status 0: no answer was sent."""
        with self._lock:
            self.requests += 1
            self.bytes_in += bytes_in
            self.bytes_out += bytes_out
            self.bytes_lost += lost
            self.units += units(op)
            self.by_op[op] += 1
            self.by_status[str(status)] += 1

    def numbers(self) -> dict[str, Any]:
        with self._lock:
            return {
                "requests": self.requests,
                "bytes_in": self.bytes_in,
                "bytes_out": self.bytes_out,
                "bytes_lost": self.bytes_lost,
                "units": self.units,
                "by_op": dict(self.by_op),
                "by_status": dict(self.by_status),
            }


def table(numbers: dict[str, Any]) -> str:
    """The numbers for a person: calls with their quota units, then answers by status, then totals."""
    lines = [f"{'call':24}{'count':>9}{'units':>9}"]
    lines += [f"{op:24}{count:>9}{count * units(op):>9}" for op, count in sorted(numbers["by_op"].items())]
    lines += [f"{_answer(status):24}{count:>9}" for status, count in sorted(numbers["by_status"].items())]
    lines += [f"{name:24}{numbers[name]:>9}" for name in ("requests", "bytes_in", "bytes_out", "units")]
    return "\n".join(lines)


def _answer(status: str) -> str:
    return "no answer" if status == "0" else f"answered {status}"
