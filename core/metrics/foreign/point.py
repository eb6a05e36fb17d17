"""What every kind of metric file comes down to: the values that were logged together at one step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

MAX_STEP = 10**12
"""A larger "step" is a time stamp or nonsense."""
NAME_LENGTH = 200
EPOCH_NAMES = ("epoch", "train/epoch")
"""Where the trainers write the pass over the data among their values; it becomes `Point.epoch`."""


class Point(NamedTuple):
    """Values of one step. `at` is Unix time in seconds; None where the file does not say."""

    step: int
    epoch: float | None
    at: float | None
    values: tuple[tuple[str, float], ...]


def make_point(step: object, values: Iterable[tuple[str, object]], *, at: float | None = None) -> Point | None:
    """A point of whatever a file holds; None when it has no step or no number. An epoch among the values is taken out of them."""
    number = to_step(step)
    if number is None:
        return None
    epoch: float | None = None
    taken: dict[str, float] = {}
    for name, value in values:
        found = to_value(value)
        if found is None or not name:
            continue
        if name.lower() in EPOCH_NAMES:
            epoch = found if math.isfinite(found) and 0 <= found <= MAX_STEP else epoch
        else:
            taken[clean_name(name)] = found
    return Point(number, epoch, to_time(at), tuple(taken.items())) if taken else None


def to_step(value: object) -> int | None:
    """A whole number from 0 on, also written as "10" or 10.0; None for anything else. A fraction (an epoch of 0.5) is cut off."""
    number = to_value(value)
    if number is None or not 0 <= number <= MAX_STEP:
        return None
    return int(number)


def to_value(value: object) -> float | None:
    """The number that a cell or a JSON value is, NaN and infinities included; None for texts, flags and what float64 cannot hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def to_time(value: object) -> float | None:
    """Unix seconds between 2001 and 2286, else None: clocks in files may be anything."""
    number = to_value(value)
    return number if number is not None and 1e9 <= number < 1e10 else None


def clean_name(name: str) -> str:
    """A name without control characters and lone surrogates, at most `NAME_LENGTH` characters long.

    >>> clean_name("loss" + chr(10) + "now")
    'loss?now'
    """
    text = name[:NAME_LENGTH].encode("utf-8", "replace").decode("utf-8")
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def with_prefix(point: Point, prefix: str) -> Point:
    """The point with a folder's name in front of each of its names; the whole name is cut to `NAME_LENGTH`."""
    if not prefix:
        return point
    return point._replace(values=tuple(((f"{prefix}/{name}")[:NAME_LENGTH], value) for name, value in point.values))


def fingerprint(name: str, step: int, value: float) -> int:
    """A number that tells values apart, 64 bits, the same within this process only."""
    return hash((name, step, value if value == value else "NaN"))  # noqa: PLR0124  # NaN's own hash differs each time
