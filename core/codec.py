"""Records <-> JSON bytes. Unknown fields are ignored and missing ones take their defaults, so that old and new releases get along;
a file of a newer *format* is refused, because its meaning may have changed.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, TypeVar

from cattrs import BaseValidationError
from cattrs.gen import make_dict_structure_fn
from cattrs.preconf.json import make_converter

from batonpass.core.errors import FormatError
from batonpass.core.model.run import FORMAT
from batonpass.core.model.session import MetricTail

T = TypeVar("T")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
YEARS = range(1970, 2261)
"""A time outside these years is damage. At the edges of the calendar another zone, or a day more, is an overflow wherever it is shown."""


def write_time(value: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond: as every file says a time."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_time(value: Any, _: Any) -> datetime:
    parsed = datetime.fromisoformat(str(value))
    if parsed.tzinfo is None:
        raise ValueError(f"a time without a zone: {value!r}")
    if parsed.year not in YEARS:
        raise ValueError(f"a time that no machine's clock shows: {value!r}")
    return parsed.astimezone(UTC)


def _read_number_or_word(value: Any, _: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


_ROW_TYPES: tuple[set[type], ...] = ({int}, {int}, {float}, {float}, {int}, {float, str})


def _read_tail(value: Any, kind: type[MetricTail]) -> MetricTail:
    """Rows of the right types, which is all that we write, are taken as they are; a tail is long, and each number by itself takes long."""
    names, rows = value.get("names"), value.get("rows")
    if isinstance(names, list) and isinstance(rows, list) and set(map(type, names)) <= {str}:
        tuples = tuple(map(tuple, rows))
        if set(map(len, tuples)) <= {len(_ROW_TYPES)} and all(
            set(map(type, column)) <= types
            for column, types in zip(zip(*tuples, strict=True), _ROW_TYPES, strict=False)
        ):
            return MetricTail(tuple(names), tuples)
    return _structure_tail(value, kind)


_converter = make_converter()
_converter.register_unstructure_hook(datetime, write_time)
_converter.register_structure_hook(datetime, _read_time)
_converter.register_structure_hook(float | str, _read_number_or_word)
_structure_tail = make_dict_structure_fn(MetricTail, _converter)
_converter.register_structure_hook(MetricTail, _read_tail)
_converter.register_unstructure_hook(MetricTail, lambda tail: {"names": tail.names, "rows": tail.rows})


def encode(record: Any) -> bytes:
    """A dataclass of `core.model` as JSON, a line per field; times are ISO 8601 in UTC. ValueError on NaN, infinity and what JSON lacks."""
    try:
        lines = [f" {json.dumps(name)}: {_dump(value)}" for name, value in _converter.unstructure(record).items()]
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode(
            errors="replace"
        )  # half a character must not keep a file from the store
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _load(data: bytes) -> Any:
    """The JSON tree, in which half a character (a lone surrogate) has become a question mark: no file, page or cell could be made of it."""
    tree = json.loads(data)
    return json.loads(json.dumps(tree, ensure_ascii=False).encode(errors="replace")) if _HALF.search(data) else tree


def decode(kind: type[T], data: bytes, *, key: str = "") -> T:
    """The record that `data` holds. FormatError with the file's key when it holds none, or a newer format."""
    try:
        tree = _load(data)
        version = tree.get("format", FORMAT) if isinstance(tree, dict) else None
        newest = getattr(kind, "NEWEST_FORMAT", FORMAT)
        if isinstance(version, int) and version > newest:
            raise FormatError(
                f"{key or kind.__name__} was written by a newer version of Batonpass (format {version}, this one reads {newest})",
                hint="update Batonpass on this machine: pip install -U with the wheel in the store's agent folder",
            )
        return _converter.structure(tree, kind)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, BaseValidationError) as error:
        raise FormatError(
            f"{key or kind.__name__} is not what its name promises ({type(error).__name__})",
            hint="the file may be damaged, cut off or edited; it was left as it is",
        ) from error
