"""Rows <-> sealed segments: Parquet (zstd) in long form, one row per value, readable by any Parquet tool. The rows of a metric stand together.

Columns: row int64, step int64, epoch float32, time float64 (Unix seconds), name dictionary of strings, value float64.
The only module that knows pyarrow, which is imported when first used: it takes a quarter of a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batonpass.core.errors import FormatError
from batonpass.core.metrics.row import Row
from batonpass.core.model import Segment

if TYPE_CHECKING:
    import pyarrow as pa

    from batonpass.core.metrics.table import MetricTable

COLUMNS = ("row", "step", "epoch", "time", "name", "value")
ROWS_LIMIT = 20_000_000
BYTES_LIMIT = 2_000_000_000
"""What a segment may grow to in memory; one that claims more is refused before it is unpacked."""
_ENCODINGS = {
    "row": "DELTA_BINARY_PACKED",
    "step": "DELTA_BINARY_PACKED",
    "epoch": "BYTE_STREAM_SPLIT",
    "time": "BYTE_STREAM_SPLIT",
    "value": "BYTE_STREAM_SPLIT",
}
"""Bytes of equal rank stand together, so that zstd finds them: a third of what Parquet's defaults take for noisy numbers."""


def encode_segment(rows: Sequence[Row]) -> bytes:
    """The rows as the bytes of a Parquet file. The same rows give the same bytes with the same pyarrow."""
    import numpy as np  # noqa: PLC0415  # only whoever seals needs it
    import pyarrow as pa  # noqa: PLC0415  # see the module's docstring
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    names = pa.array(columns[4], pa.string()).dictionary_encode()
    arrays = [
        names if field.name == "name" else pa.array(column, field.type)
        for field, column in zip(_schema(), columns, strict=True)
    ]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(arrays, schema=_schema())
    by_name = np.argsort(names.indices.to_numpy(), kind="stable")
    pq.write_table(
        table.take(pa.array(by_name)),
        sink,
        compression="zstd",
        compression_level=3,
        use_dictionary=["name"],
        column_encoding=_ENCODINGS,
    )
    return bytes(sink.getvalue())


def describe_segment(key: str, rows: Sequence[Row], data: bytes) -> Segment:
    """The record of a segment as a session's file lists it; `rows` must not be empty and are what `data` holds."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Segment(key, rows[0].row, rows[-1].row + 1, len(data), hashlib.sha256(data).hexdigest(), md5)


def decode_segment(data: bytes, *, key: str = "") -> list[Row]:
    """The rows of a segment, in the order of their numbers. FormatError when the bytes are no such file."""
    columns = _read_columns(data, key)
    rows = (Row(*values) for values in zip(*(columns[name].to_pylist() for name in COLUMNS), strict=True))
    return sorted(rows, key=lambda row: row.row)


def read_segment(data: bytes, *, key: str = "") -> MetricTable:
    """The rows of a segment as a table of NumPy columns. FormatError when the bytes are no such file."""
    import numpy as np  # noqa: PLC0415  # only readers need it

    from batonpass.core.metrics.table import Columns, MetricTable  # noqa: PLC0415

    columns = _read_columns(data, key)
    names = columns["name"].unify_dictionaries()
    dictionary = names.chunk(0).dictionary.to_pylist() if names.num_chunks else []
    indices = [chunk.indices.to_numpy(zero_copy_only=False) for chunk in names.chunks]
    index = np.concatenate(indices) if indices else np.zeros(0, np.int32)
    plain: dict[str, Any] = {name: columns[name].to_numpy() for name in COLUMNS if name != "name"}
    return MetricTable.from_long(dictionary, index, Columns(**plain))


def _read_columns(data: bytes, key: str) -> dict[str, pa.ChunkedArray]:
    """The six columns, checked. Everything that pyarrow says about bytes that are not ours becomes a FormatError."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=["name"])
        meta = file.metadata
        claimed = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        if not 0 <= meta.num_rows <= ROWS_LIMIT or not 0 <= claimed <= BYTES_LIMIT:
            raise ValueError(f"it claims {meta.num_rows:,} rows and {claimed:,} bytes")  # noqa: TRY301
        found = file.schema_arrow
        for field in _schema():
            if found.field(field.name).type != field.type:
                raise ValueError(f"column {field.name} is not {field.type}")  # noqa: TRY301
        table = file.read(columns=list(COLUMNS), use_threads=False)
        if any(column.null_count for column in table.columns):
            raise ValueError("a value is missing")  # noqa: TRY301
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise FormatError(
            f"{key or 'a metric segment'} is not what its name promises ({error!s:.200})",
            hint="the file may be damaged or not have arrived yet; it was left as it is",
        ) from error
    return {name: table[name] for name in COLUMNS}


def _schema() -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415

    types = (pa.int64(), pa.int64(), pa.float32(), pa.float64(), pa.dictionary(pa.int32(), pa.string()), pa.float64())
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in zip(COLUMNS, types, strict=True)])
