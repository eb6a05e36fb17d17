"""Rows <-> the metric tail of a session's file, and when the tail is sealed into a segment. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from batonpass.core.errors import FormatError
from batonpass.core.metrics.row import Row, check_row, to_float, to_number_or_word
from batonpass.core.model import MetricTail, Segment

if TYPE_CHECKING:
    from batonpass.core.metrics.table import MetricTable

SEAL_BYTES = 1_000_000
"""A tail this large (as JSON) is sealed."""
SEAL_AGE_S = 600.0
"""A tail whose oldest row is this old is sealed."""
KEPT_SEGMENTS = 2
"""Where arrival cannot be proven, the rows of this many newest segments stay in the tail."""


def encode_tail(rows: Iterable[Row]) -> MetricTail:
    """The rows as a session's file holds them."""
    names: dict[str, int] = {}
    packed = tuple(
        (r.row, r.step, r.epoch, r.time, names.setdefault(r.name, len(names)), to_number_or_word(r.value)) for r in rows
    )
    return MetricTail(tuple(names), packed)


def decode_tail(tail: MetricTail) -> list[Row]:
    """The rows of a tail. FormatError when a row is none (unknown word, index without a name, a number out of range)."""
    try:
        return [_unpack(tail.names, packed) for packed in tail.rows]
    except (ValueError, TypeError, IndexError) as error:
        raise _damaged(error) from error


def read_tail(tail: MetricTail) -> MetricTable:
    """The rows of a tail as a table of NumPy columns. FormatError as in `decode_tail`."""
    import numpy as np  # noqa: PLC0415  # only readers need it

    from batonpass.core.metrics.table import Columns, MetricTable  # noqa: PLC0415

    try:
        row, step, epoch, time, name, value = zip(*tail.rows, strict=True) if tail.rows else ((),) * 6
        numbers = [v if type(v) is float else to_float(v) for v in value]
        with np.errstate(over="ignore"):
            columns = Columns(
                np.array(row, np.int64),
                np.array(step, np.int64),
                np.array(epoch, np.float32),
                np.array(time, np.float64),
                np.array(numbers, np.float64),
            )
        index = np.array(name, np.int32)
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(error) from error
    right = (columns.row >= 0) & np.isfinite(np.array(epoch, np.float64)) & np.isfinite(columns.time)
    if not bool(np.all(right & (index >= 0) & (index < len(tail.names)))):
        raise _damaged("a row that is none")
    return MetricTable.from_long(tail.names, index, columns)


def tail_size_bytes(rows: Iterable[Row]) -> int:
    """About how many bytes the rows take as a tail: its JSON without indentation (names are counted once)."""
    tail = encode_tail(rows)
    return len(json.dumps([tail.names, tail.rows], separators=(",", ":")))


def first_unsealed_row(segments: Sequence[Segment]) -> int:
    """The first row that is in no segment: what the next segment begins with."""
    return max((s.end_row for s in segments), default=0)


def first_tail_row(segments: Sequence[Segment], *, proves_arrival: bool) -> int:
    """The first row that must stand in the tail, given the *listed, verified* segments, oldest first.

    Where the store proves arrival, what is sealed leaves the tail. On a mounted Drive it does not (`Properties.proves_arrival` is
    False), so the rows of the newest two segments stay.
    """
    if proves_arrival or not segments:
        return first_unsealed_row(segments)
    return segments[-KEPT_SEGMENTS:][0].first_row


def seal_is_due(unsealed_bytes: int, oldest_age_s: float) -> bool:
    """Whether to seal now: `unsealed_bytes` as `tail_size_bytes` of the unsealed rows, and the age of the oldest of them."""
    return unsealed_bytes > 0 and (unsealed_bytes >= SEAL_BYTES or oldest_age_s >= SEAL_AGE_S)


def _damaged(why: object) -> FormatError:
    return FormatError(
        f"the metric tail of a session is damaged: {why!s:.200}", hint="the sealed segments can still be read"
    )


def _unpack(names: Sequence[str], packed: tuple[int, int, float, float, int, float | str]) -> Row:
    row, step, epoch, at, name, value = packed
    if name < 0:
        raise ValueError(f"name index {name}")
    return check_row(Row(row, step, to_float(epoch), to_float(at), names[name], to_float(value)))
