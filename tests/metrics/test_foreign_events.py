"""Event files give what was written into them: cut anywhere a prefix of it, and the rest, once, when the rest has come."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch.metric_files import event, field, record, scalar_value, scalars, varint

from batonpass.core.metrics.foreign.events import EventParser
from batonpass.core.metrics.foreign.framing import RECORD_LIMIT, masked_crc, scan_records
from batonpass.core.metrics.foreign.wire import read_fields
from batonpass.sync.trainer_metrics.files import EventFile


def rows_of(points):
    return [(p.step, name, value) for p in points for name, value in p.values]


def parse(data):
    return rows_of(EventParser().take(scan_records(data).records))


def test_an_event_spelled_out_by_hand():
    """wall_time 1700000000.0 (field 1, 64 bit), step 3 (field 2), summary (5) of one value (1): tag (1) "loss", simple_value (2) 0.5."""
    content = (
        b"\x09" + bytes.fromhex("000000 40fc54d941".replace(" ", ""))
        + b"\x10\x03"
        + b"\x2a\x0d\x0a\x0b" + b"\x0a\x04loss" + b"\x15\x00\x00\x00\x3f"
    )  # fmt: skip
    (point,) = EventParser().take([content])
    assert (point.step, point.at, point.values) == (3, struct.unpack("<d", content[1:9])[0], (("loss", 0.5),))


def test_the_checksum_is_that_of_the_standard():
    """CRC-32C of "123456789" is 0xE3069283 (RFC 3720, B.4's polynomial); masking rotates by 15 and adds 0xa282ead8."""
    crc = 0xE3069283
    assert masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc(b"\x00" * 32) == ((0x8A9136AA >> 15 | 0x8A9136AA << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize("form", ["simple", "float", "float_val", "double"])
def test_every_form_of_a_scalar(form):
    assert parse(event(7, scalar_value("loss", 0.5, form=form, plugin="scalars"))) == [(7, "loss", 0.5)]


def test_what_is_no_scalar_is_no_metric_also_where_only_its_first_record_says_so():
    text = field(1, b"text") + field(8, b"\x08\x07" + field(8, b"hello"))
    two = field(1, b"pair") + field(8, b"\x08\x01" + field(4, struct.pack("<2f", 1, 2)))
    data = event(0, text, two, scalar_value("_hparams_/experiment", 0.0, form="float", plugin="hparams"))
    data += event(1, scalar_value("_hparams_/experiment", 0.0, form="float"), scalar_value("loss", 1.0))
    assert parse(data) == [(1, "loss", 1.0)]


def test_values_of_one_step_become_one_point_with_their_epoch():
    parser = EventParser()
    points = parser.take(scan_records(scalars([(1, "loss", 1), (1, "train/epoch", 0.5), (2, "loss", 2)])).records)
    assert [(p.step, p.epoch, p.values) for p in points] == [(1, 0.5, (("loss", 1.0),)), (2, 0.5, (("loss", 2.0),))]


def test_negative_steps_and_strange_times_are_left_out():
    assert parse(event(-1, scalar_value("a", 1.0))) == []
    (point,) = EventParser().take(scan_records(event(1, scalar_value("a", 1.0), at=float("nan"))).records)
    assert point.at is None


def test_a_damaged_record_is_passed_over_and_counted():
    parts = [scalars([(n, "loss", n)]) for n in range(3)]
    middle = bytearray(parts[1])
    middle[20] ^= 1
    scan = scan_records(parts[0] + bytes(middle) + parts[2])
    assert scan.damaged == 1
    assert rows_of(EventParser().take(scan.records)) == [(0, "loss", 0.0), (2, "loss", 2.0)]


def test_a_damaged_length_ends_the_reading_there():
    first, second = scalars([(0, "loss", 0)]), bytearray(scalars([(1, "loss", 1)]))
    second[0] ^= 1
    scan = scan_records(first + bytes(second))
    assert (scan.used, scan.lost) == (len(first), True)


def test_without_the_checksums_a_damaged_value_would_pass(monkeypatch):
    """The negative control: the one bit that changed is inside of the value."""
    data = bytearray(scalars([(1, "loss", 0.5)]))
    data[-6] ^= 1
    assert parse(bytes(data)) == []
    monkeypatch.setattr("batonpass.core.metrics.foreign.framing.masked_crc", lambda data: check_of(bytes(data)))
    whole = bytes(data)

    def check_of(part):
        at = whole.index(part) + len(part)
        return struct.unpack_from("<I", whole, at)[0]

    assert parse(whole) != [(1, "loss", 0.5)]
    assert parse(whole) != []


NAMES = st.sampled_from(["loss", "acc", "val/loss"])
ROWS = st.lists(st.tuples(st.integers(0, 10**6), NAMES, st.floats(width=32, allow_nan=False)), min_size=1, max_size=5)


def follow(tmp_path_factory, data, cut):
    """What a follower gives of the file cut there, and then of the whole."""
    path = tmp_path_factory.mktemp("events") / "events.out.tfevents.1.h"
    path.write_bytes(data[:cut])
    file = EventFile(path, "")
    before = rows_of(file.read().points)
    with path.open("ab") as out:
        out.write(data[cut:])
    batch = file.read()
    return before, rows_of(batch.points), batch.complaints


def test_cut_at_every_byte_it_gives_a_prefix_and_then_the_rest_once(tmp_path_factory):
    rows = [(1, "loss", 0.5), (2, "loss", 0.25), (300, "val/acc", 1.0)]
    data = record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2")) + scalars(rows)
    for cut in range(len(data) + 1):
        before, after, said = follow(tmp_path_factory, data, cut)
        assert before == rows[: len(before)]
        assert before + after == rows
        assert said == ()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, data=st.data())
def test_any_rows_cut_anywhere(tmp_path_factory, rows, data):
    content = scalars(rows)
    before, after, said = follow(tmp_path_factory, content, data.draw(st.integers(0, len(content))))
    assert before + after == rows
    assert said == ()


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_as_an_event_never_raise(data):
    parser = EventParser()
    parser.take([data])
    parser.take(scan_records(record(data) + data).records)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_single_bit_that_flips_gives_no_wrong_row(at, bit):
    rows = [(n, "loss", float(n)) for n in range(4)]
    data = bytearray(scalars(rows))
    data[at % len(data)] ^= 1 << bit
    assert set(parse(bytes(data))) <= set(rows)


def test_a_long_record_is_passed_over_unread_and_one_that_never_ends_is_waited_for(tmp_path):
    path = tmp_path / "events.out.tfevents.1.h"
    length = struct.pack("<Q", RECORD_LIMIT + 1)
    header = length + struct.pack("<I", masked_crc(length))
    path.write_bytes(header + b"x" * (RECORD_LIMIT + 1 + 4) + scalars([(1, "loss", 1)]))
    file = EventFile(path, "")
    batches = [file.read(), file.read()]
    assert [row for batch in batches for row in rows_of(batch.points)] == [(1, "loss", 1.0)]
    length = struct.pack("<Q", 2**60)
    path.write_bytes(length + struct.pack("<I", masked_crc(length)) + b"x")
    file = EventFile(path, "")
    assert (file.read().points, file.read().points) == ([], [])


@pytest.mark.parametrize("data", [b"\x80" * 11, b"\x0a\x05ab", b"\x0b", varint(1 << 3 | 1) + b"1234"])
def test_what_is_no_message_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"varint|longer|wire"):
        list(read_fields(data))
