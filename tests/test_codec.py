"""Records survive JSON; what is not a record is refused with a hint."""

from datetime import UTC, datetime

import pytest

from batonpass.core.codec import decode, encode
from batonpass.core.errors import FormatError
from batonpass.core.model import End, EndKind, Host, MetricTail, Session

NOW = datetime(2026, 11, 23, 7, 54, 38, 123000, tzinfo=UTC)
SESSION = Session(
    id="20261123t075438-1f2e3d",
    run_id="0011aabb",
    term=1,
    account='say "hi"/\n</script>',
    host=Host("colab", "m", "1-2"),
    started_at=NOW,
    heartbeat_at=NOW,
    tail=MetricTail(("loss",), ((0, 1, 0.5, 1.0, 0, "NaN"), (1, 1, 0.5, 1.0, 0, 2.5))),
    end=End(EndKind.FAILED, NOW, "boom"),
)


def test_a_session_comes_back_as_it_was_written():
    assert decode(Session, encode(SESSION)) == SESSION


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("[0, 1, 0.5, 1.0, 0, 2.5]", (0, 1, 0.5, 1.0, 0, 2.5)),
        ('[0, 1, 1, 1, 0, "NaN"]', (0, 1, 1.0, 1.0, 0, "NaN")),
        ("[0, 1, 0.5, 1" + "0" * 400 + ", 0, 2.5]", None),
        ('["7", 1, "0.5", 1.0, 0, 2.5]', (7, 1, 0.5, 1.0, 0, 2.5)),
        ("[0, 1.0, 0.5, 1.0, 0, 2.5]", (0, 1, 0.5, 1.0, 0, 2.5)),
        ("[0, 1, 0.5, 1.0, 0, true]", None),
        ("[0, 1, 0.5, 1.0, 0]", None),
        ("[0, 1, 0.5, 1.0, 0, 2.5, 3]", None),
        ('[0, "one", 0.5, 1.0, 0, 2.5]', None),
        ("[0, 1, null, 1.0, 0, 2.5]", None),
        ("7", None),
        ("{}", None),
    ],
)
def test_a_row_of_a_tail_is_one_of_its_types_or_the_file_is_refused(row, read):
    """Rows of just our types are taken as they are; each other one is looked at by itself, and taken or refused as ever."""
    data = ('{"names": ["loss"], "rows": [[0, 1, 0.5, 1.0, 0, 2.5], ' + row + "]}").encode()
    if read is None:
        with pytest.raises(FormatError):
            decode(MetricTail, data)
    else:
        assert decode(MetricTail, data).rows[1] == read
        assert all(type(a) is type(b) for a, b in zip(decode(MetricTail, data).rows[1], read, strict=True))


def test_a_field_of_a_later_release_is_ignored():
    assert decode(Session, encode(SESSION).replace(b'{\n "id"', b'{\n "mood": {"x": [1]},\n "id"')) == SESSION


def test_a_newer_format_is_refused_with_a_hint():
    with pytest.raises(FormatError, match="newer version") as caught:
        decode(Session, encode(SESSION).replace(b'"format": 1', b'"format": 99'))
    assert "Update" in caught.value.hint or "update" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"id": 1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_record_is_a_format_error_and_nothing_else(data):
    with pytest.raises(FormatError):
        decode(Session, data, key="sessions/x.json")


@pytest.mark.parametrize("year", ["0001", "1969", "2261", "9999"])
@pytest.mark.parametrize("zone", ["Z", "+14:00", "-12:00"])
def test_a_time_that_no_clock_shows_is_damage_and_no_overflow(year, zone):
    data = encode(SESSION).replace(b"2026-11-23T07:54:38.123Z", f"{year}-12-31T23:59:59{zone}".encode())
    with pytest.raises(FormatError):
        decode(Session, data)
    assert decode(Session, data.replace(year.encode() + b"-12", b"1970-12")).started_at.year in (1970, 1971)


def test_half_a_character_in_a_file_becomes_a_question_mark_and_a_whole_one_stays():
    data = encode(SESSION).replace(b"boom", b"a\\ud83d b\\ud83d\\ude80 c\\uDEAD")
    assert decode(Session, data).end.detail == "a? b\U0001f680 c?"
