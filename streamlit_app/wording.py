"""Numbers, durations and times as a person says them. Pure: every clock and zone is an argument."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, tzinfo

from batonpass.core import amounts
from batonpass.core.model import Session


def count(value: float | None) -> str:
    """An integer with thousands separators; a number too large to read in short form.

    >>> count(28400), count(None), count(10**30)
    ('28,400', 'unknown', '1.0e+30')
    """
    if value is None or not math.isfinite(_float(value)):
        return "unknown"
    return f"{int(value):,}" if abs(value) < 1e12 else f"{_float(value):.1e}"


def number(value: float | None) -> str:
    """A measured value in at most five significant digits.

    >>> number(0.123456), number(float("nan")), number(None)
    ('0.12346', 'not a number', 'unknown')
    """
    if value is None:
        return "unknown"
    exact = _float(value)
    if math.isnan(exact):
        return "not a number"
    return f"{exact:.5g}" if math.isfinite(exact) else "infinity" if exact > 0 else "-infinity"


def size(size_bytes: float | None) -> str:
    """A size in bytes, as the notebook and the command line say it; "unknown" where there is no such number.

    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    if size_bytes is None or not math.isfinite(_float(size_bytes)):
        return "unknown"
    return amounts.size(size_bytes)


def duration(seconds: float | None) -> str:
    """A length of time, as the notebook and the command line say it; "unknown" where there is no such number.

    >>> duration(98), duration(None)
    ('1 min 38 s', 'unknown')
    """
    if seconds is None or not math.isfinite(_float(seconds)):
        return "unknown"
    return amounts.duration(seconds)


def ago(seconds: float | None) -> str:
    """An age.

    >>> ago(41), ago(2)
    ('41 s ago', 'just now')
    """
    if seconds is None:
        return "never"
    return "just now" if seconds < 5 else f"{duration(seconds)} ago"


def local(moment: datetime | None, zone: tzinfo) -> str:
    """A moment in the reader's own zone, as "Mon 23 Nov, 08:15"."""
    return f"{moment.astimezone(zone):%a %d %b, %H:%M}" if moment else "unknown"


def plural(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "run"), plural(3, "run")
    ('1 run', '3 runs')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def sessions_words(sessions: Iterable[Session]) -> str:
    """How many sessions a run has had, those that did not continue it apart, as "6 sessions and 1 branch"."""
    branches = [s.branch is not None for s in sessions]
    own, aside = branches.count(False), branches.count(True)
    return plural(own, "session") + (f" and {plural(aside, 'branch', 'branches')}" if aside else "")


def _float(value: float) -> float:
    """An int too large for a float becomes infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
