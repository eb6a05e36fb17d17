"""Rows survive Parquet and the tail; bytes that are not ours are refused; sealing follows size and age."""

import io
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import decode_segment, describe_segment, encode_segment, read_segment
from batonpass.core.metrics.table import MetricTable, join_tables
from batonpass.core.metrics.tail import (
    SEAL_AGE_S,
    SEAL_BYTES,
    decode_tail,
    encode_tail,
    first_tail_row,
    first_unsealed_row,
    read_tail,
    seal_is_due,
    tail_size_bytes,
)
from batonpass.core.model import MetricTail, Segment

ROW = st.builds(
    Row,
    row=st.integers(0, 2**63 - 1),
    step=st.integers(-(2**63) + 1, 2**63 - 1),
    epoch=st.floats(width=32, allow_nan=False, allow_infinity=False),
    time=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
    value=st.floats(),
)
ROWS = st.lists(ROW, max_size=30, unique_by=lambda r: r.row).map(lambda rows: sorted(rows, key=lambda r: r.row))
SOME = [Row(i, i // 2, 0.5, 1.7e9 + i, "loss" if i % 2 else "lr", i / 3) for i in range(100)]


def same(left, right):
    return [repr(r) for r in left] == [repr(r) for r in right]


@given(ROWS)
def test_rows_survive_a_segment(rows):
    assert same(decode_segment(encode_segment(rows)), rows)


@given(ROWS)
def test_rows_survive_the_tail_and_its_json(rows):
    tail = decode(MetricTail, encode(encode_tail(rows)))
    assert same(decode_tail(tail), rows)
    table, wanted = read_tail(tail), MetricTable.from_rows(rows)
    assert list(table.columns) == list(wanted.columns)
    for name, columns in table.columns.items():
        assert all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(columns.arrays, wanted.columns[name].arrays, strict=True)
        )


def test_values_without_a_json_number_are_words_in_the_tail():
    rows = [Row(i, 1, 0.0, 1.0, "x", v) for i, v in enumerate((math.nan, math.inf, -math.inf, 1.5))]
    assert [r[5] for r in encode_tail(rows).rows] == ["NaN", "Infinity", "-Infinity", 1.5]


def test_a_segment_has_the_columns_that_the_format_names():
    schema = pq.read_schema(io.BytesIO(encode_segment(SOME)))
    assert [(f.name, str(f.type)) for f in schema] == [
        ("row", "int64"),
        ("step", "int64"),
        ("epoch", "float"),
        ("time", "double"),
        ("name", "dictionary<values=string, indices=int32, ordered=0>"),
        ("value", "double"),
    ]
    meta = pq.ParquetFile(io.BytesIO(encode_segment(SOME))).metadata
    assert {meta.row_group(0).column(i).compression for i in range(6)} == {"ZSTD"}


def rows_of(table: MetricTable) -> list[Row]:
    found = [
        Row(int(row), int(step), float(epoch), float(time), name, float(value))
        for name, columns in table.columns.items()
        for row, step, epoch, time, value in zip(*columns.arrays, strict=True)
    ]
    return sorted(found)


def test_a_segment_becomes_a_table_and_an_empty_one_too():
    table = read_segment(encode_segment(SOME))
    assert rows_of(table) == SOME
    assert len(read_segment(encode_segment([]))) == 0


def test_a_segment_of_another_writer_with_plain_strings_is_read():
    table = pq.read_table(io.BytesIO(encode_segment(SOME)))
    plain = table.set_column(4, "name", table["name"].cast(pa.string()))
    sink = io.BytesIO()
    pq.write_table(plain, sink, store_schema=False, row_group_size=7)
    assert decode_segment(sink.getvalue()) == SOME
    assert len(read_segment(sink.getvalue())) == len(SOME)


def parquet(**columns):
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1" + b"\0" * 100 + b"PAR1",
        encode_segment(SOME)[:-20],
        encode_segment(SOME)[20:],
        parquet(a=[1]),
        parquet(row=["x"], step=[1], epoch=[1.0], time=[1.0], name=["a"], value=[1.0]),
        parquet(
            row=pa.array([None], pa.int64()),
            step=[1],
            epoch=pa.array([1.0], pa.float32()),
            time=[1.0],
            name=["a"],
            value=[1.0],
        ),
    ],
)
def test_bytes_that_are_no_segment_are_a_format_error(data):
    with pytest.raises(FormatError, match="metrics/x-0"):
        decode_segment(data, key="metrics/x-0.parquet")
    with pytest.raises(FormatError):
        read_segment(data)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_is_a_format_error_or_rows_and_nothing_else(place, flip):
    data = bytearray(encode_segment(SOME))
    data[place % len(data)] ^= flip
    try:
        rows = decode_segment(bytes(data))
    except FormatError:
        return
    assert all(isinstance(row, Row) for row in rows)


def test_a_segment_that_claims_to_be_huge_is_refused_unread(monkeypatch):
    monkeypatch.setattr("batonpass.core.metrics.segments.ROWS_LIMIT", 99)
    with pytest.raises(FormatError, match="claims 100 rows"):
        decode_segment(encode_segment(SOME))


@pytest.mark.parametrize(
    "row",
    [
        (0, 1, 0.0, 1.0, 1, 1.0),
        (0, 1, 0.0, 1.0, -1, 1.0),
        (0, 1, 0.0, 1.0, 0, "huge"),
        (-1, 1, 0.0, 1.0, 0, 1.0),
        (2**63, 1, 0.0, 1.0, 0, 1.0),
        (0, 2**64, 0.0, 1.0, 0, 1.0),
        (0, 1, math.nan, 1.0, 0, 1.0),
        (0, 1, 0.0, math.inf, 0, 1.0),
    ],
)
def test_a_hostile_tail_is_a_format_error(row):
    for read in (decode_tail, read_tail):
        with pytest.raises(FormatError):
            read(MetricTail(("a",), (row,)))


def segment(first, end):
    return Segment(f"metrics/s-{first}.parquet", first, end, 1, "", "")


def test_what_is_sealed_leaves_the_tail_where_arrival_is_proven():
    sealed = [segment(0, 10), segment(10, 20), segment(20, 30)]
    assert first_unsealed_row(sealed) == 30
    assert first_tail_row(sealed, proves_arrival=True) == 30
    assert first_tail_row([], proves_arrival=True) == 0


def test_on_a_mount_the_rows_of_the_last_two_segments_stay():
    sealed = [segment(0, 10), segment(10, 20), segment(20, 30)]
    assert first_tail_row(sealed, proves_arrival=False) == 10
    assert first_tail_row(sealed[:2], proves_arrival=False) == 0
    assert first_tail_row(sealed[:1], proves_arrival=False) == 0
    assert first_tail_row([], proves_arrival=False) == 0


def test_a_tail_is_sealed_when_it_is_large_or_old_but_not_when_empty():
    assert not seal_is_due(0, 1e9)
    assert not seal_is_due(SEAL_BYTES - 1, SEAL_AGE_S - 1)
    assert seal_is_due(SEAL_BYTES, 0.0)
    assert seal_is_due(1, SEAL_AGE_S)


def test_the_size_of_a_tail_grows_with_its_rows():
    assert tail_size_bytes([]) < 20
    assert tail_size_bytes(SOME[:50]) < tail_size_bytes(SOME) < 100 * len(SOME)


def test_a_segment_is_described_by_its_rows_and_hashes():
    data = encode_segment(SOME[10:20])
    described = describe_segment("metrics/s-0.parquet", SOME[10:20], data)
    assert (described.first_row, described.end_row, described.size_bytes) == (10, 20, len(data))
    assert (len(described.sha256), len(described.md5)) == (64, 32)
    assert replace(described, key="") == describe_segment("", SOME[10:20], data)


def test_overlapping_parts_join_into_one_table_with_each_row_once():
    parts = [MetricTable.from_rows(SOME[:60]), MetricTable.from_rows(SOME[90:]), MetricTable.from_rows(SOME[39:95])]
    joined = join_tables(parts)
    assert rows_of(joined) == SOME
    assert len(join_tables([])) == 0
    assert len(join_tables([MetricTable.from_rows([]), MetricTable.from_rows([])])) == 0
