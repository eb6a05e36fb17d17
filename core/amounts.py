"""Amounts as people say them: durations, sizes and places. Pure text, the same in the notebook, the command line and the app."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A length of time.

    >>> [duration(s) for s in (41, 180, 7500, 32400)]
    ['41 s', '3 min', '2 h 05 min', '9 h 00 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(count_bytes: float) -> str:
    """An amount of bytes in binary units.

    >>> [size(n) for n in (0, 999, 2048, 16106127360)]
    ['0 B', '999 B', '2.0 KiB', '15.0 GiB']
    """
    if count_bytes < 1024:
        return f"{count_bytes:.0f} B"
    amount = float(count_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def ordinal(number: int) -> str:
    """A place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st']
    """
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
