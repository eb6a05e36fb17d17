"""Amounts as people say them: durations, sizes and places. Pure text, the same in the notebook, the command line and the app."""

from __future__ import annotations

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def duration(seconds: float) -> str:
    """A length of time in its two largest units; seconds beside minutes only below ten of them.

    >>> [duration(s) for s in (41, 98, 180, 12_000, 176_400)]
    ['41 s', '1 min 38 s', '3 min', '3 h 20 min', '2 d 1 h']
    """
    s = max(0, round(seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min" + (f" {s % 60} s" if s < 600 and s % 60 else "")
    if s < 86400:
        return f"{s // 3600} h" + (f" {s % 3600 // 60} min" if s % 3600 >= 60 else "")
    if s < 1000 * 86400:
        return f"{s // 86400} d" + (f" {s % 86400 // 3600} h" if s % 86400 >= 3600 else "")
    return "more than 1,000 days"


def size(count_bytes: float) -> str:
    """An amount of bytes that lie somewhere or travel, in powers of 1,000 as stores count them.

    >>> [size(n) for n in (0, 999, 1_500_000, 312 * 10**9)]
    ['0 B', '999 B', '1.5 MB', '312 GB']
    """
    value = float(count_bytes)
    for unit in _UNITS[:-1]:
        if abs(value) < 999.5:
            return _one_decimal(value, unit)
        value /= 1000
    return _one_decimal(value, _UNITS[-1])


def capacity(count_bytes: float) -> str:
    """What a machine has of memory and disk, in GiB as its own tools say it.

    >>> [capacity(n) for n in (16106127360, 800 * 1024**2)]
    ['15.0 GiB', '0.8 GiB']
    """
    return f"{count_bytes / 1024**3:,.1f} GiB"


def percent(share: float) -> str:
    """A share of 1, in whole percent.

    >>> percent(0.425)
    '42 %'
    """
    return f"{share * 100:.0f} %"


def ordinal(number: int) -> str:
    """A place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st']
    """
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _one_decimal(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
