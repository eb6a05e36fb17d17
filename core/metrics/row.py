"""One logged value, and its line in the log file: `[row, step, epoch, unix time, "name", value]`, JSON, one per line."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""What stands for the values that JSON has no number for."""
MAX_INT = 2**63 - 1


class Row(NamedTuple):
    """One value of one metric (long form)."""

    row: int
    """Number within its session, from 0, growing."""
    step: int
    epoch: float
    time: float
    """Unix time in seconds, by the notebook's clock."""
    name: str
    value: float


def to_number_or_word(value: float) -> float | str:
    """A float as JSON can hold it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def to_float(value: object) -> float:
    """The float that a JSON number or one of `WORDS` means. ValueError for anything else."""
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError("a number too large") from error
    raise ValueError(f"not a value of a metric: {value!r:.80}")


def check_row(row: Row) -> Row:
    """The row, if its numbers are ones that the format can hold. ValueError otherwise."""
    whole = type(row.row) is int and type(row.step) is int and 0 <= row.row <= MAX_INT and abs(row.step) <= MAX_INT
    if not (whole and math.isfinite(row.epoch) and math.isfinite(row.time) and type(row.name) is str):
        raise ValueError(f"not a row of metrics: {row!r:.200}")
    return row


def encode_line(row: Row, quoted_name: str) -> str:
    """The row's line; `quoted_name` is its name as JSON."""
    value = row.value
    text = repr(value) if math.isfinite(value) else f'"{to_number_or_word(value)}"'
    return f"[{row.row},{row.step},{row.epoch!r},{row.time!r},{quoted_name},{text}]\n"


def decode_line(line: bytes) -> Row | None:
    """The row that a line holds, or None when it holds none (torn, edited)."""
    try:
        row, step, epoch, time, name, value = json.loads(line)
        return check_row(Row(row, step, to_float(epoch), to_float(time), name, to_float(value)))
    except (ValueError, TypeError, RecursionError):
        return None
