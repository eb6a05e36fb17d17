"""CSV, JSON lines and the Trainer's history, whole, torn and hostile."""

from __future__ import annotations

import doctest
import importlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batonpass.core.metrics.foreign.csv_rows import CsvParser
from batonpass.core.metrics.foreign.json_rows import JsonLinesParser, parse_log_history
from batonpass.core.metrics.foreign.point import clean_name, make_point, to_step, to_value
from batonpass.core.metrics.foreign.steps import StepCounter, find_step_name
from batonpass.sync.trainer_metrics.files import csv_file, json_lines_file
from batonpass.sync.trainer_metrics.seen import Seen


def rows_of(parser, text):
    points = [parser.take(line) for line in text.encode().split(b"\n")[:-1]]
    return [(p.step, p.epoch, dict(p.values)) for p in points if p is not None]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("step,loss\n1,0.5\n2,\n3,inf\n", [(1, None, {"loss": 0.5}), (3, None, {"loss": math.inf})]),
        ("\ufeffepoch; acc\r\n0; 0.5\r\n", [(0, 0.0, {"acc": 0.5})]),
        ("iter\tloss\n7.0\t1e-3\n", [(7, None, {"loss": 0.001})]),
        ("epoch,step,loss\n0,5,1\nepoch,step,loss,lr\n1,9,0.5,0.1\n", [(5, 0.0, {"loss": 1.0}), (9, 1.0, {"loss": 0.5, "lr": 0.1})]),
        ('step,"a,b"\n1,"2"\n', [(1, None, {"a,b": 2.0})]),
        ("name,score\nx,1\n", []),
        ("step\n1\n", []),
        ("step,loss\n-1,2\n1e300,2\nnan,2\n", []),
    ],
)  # fmt: skip
def test_csv(text, rows):
    assert rows_of(CsvParser(), text) == rows


def test_a_wall_time_is_the_rows_time_and_no_metric():
    parser = CsvParser()
    parser.take(b"wall_time,step,loss")
    point = parser.take(b"1700000000.5,3,0.5")
    assert (point.at, point.values) == (1700000000.5, (("loss", 0.5),))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"step": 3, "loss": 0.5, "ok": true, "note": "x", "none": null}', (3, None, {"loss": 0.5})),
        ('{"global_step": 3, "epoch": 0.5, "train": {"loss": NaN}}', (3, 0.5, {"train/loss": "nan"})),
        ('{"epoch": 2, "loss": 1}', (2, 2.0, {"loss": 1.0})),
        ('{"step": 1e400, "loss": 1}', None),
        ('{"step": 1, "loss": 1' + "0" * 400 + "}", None),
        ('{"step": 1, "loss": 1' + "0" * 5000 + "}", None),
        ("[" * 100_000, None),
        ('{"a":' * 100_000, None),
        ("[1, 2]", None),
        ('{"loss": 1}', None),
    ],
)
def test_json_lines(line, expected):
    found = rows_of(JsonLinesParser(), line + "\n")
    words = [(s, e, {n: "nan" if math.isnan(v) else v for n, v in values.items()}) for s, e, values in found]
    assert words == ([expected] if expected else [])


def test_a_data_set_in_json_lines_is_refused_after_a_hundred_lines():
    parser = JsonLinesParser()
    for _ in range(100):
        parser.take(b'{"text": "hello", "label": 1}')
    assert parser.refused


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"log_history": 3}', b"[" * 100_000])
def test_what_is_no_trainer_state_is_a_value_error(data):
    with pytest.raises(ValueError, match="."):  # noqa: RUF043  # whatever json says of it
        parse_log_history(data)


def test_a_history_with_strange_entries_gives_the_others():
    history = [3, {"loss": 1.0}, {"step": "x", "loss": 1}, {"step": 5, "loss": 0.5, "epoch": 0.1}, {"step": 6}]
    (point,) = parse_log_history(json.dumps({"log_history": history}).encode())
    assert (point.step, point.epoch, point.values) == (5, 0.1, (("loss", 0.5),))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_never_raise(data):
    for parser in (CsvParser(), CsvParser(first_column="epoch"), JsonLinesParser()):
        for line in data.split(b"\n"):
            parser.take(line)


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.integers(0, 1000), min_size=1, max_size=6, unique=True), data=st.data())
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_cut_anywhere_it_gives_a_prefix_and_then_the_rest_once(tmp_path_factory, kind, steps, data):
    lines = (
        [f"{s},{s / 3}" for s in steps] if kind == "csv" else [json.dumps({"step": s, "loss": s / 3}) for s in steps]
    )
    content = ("step,loss\n" * (kind == "csv") + "".join(f"{line}\n" for line in lines)).encode()
    path = tmp_path_factory.mktemp("log") / f"log.{kind}"
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    file = csv_file(path, "") if kind == "csv" else json_lines_file(path, "")
    before = [p.step for p in file.read().points]
    with path.open("ab") as out:
        out.write(content[cut:])
    assert before + [p.step for p in file.read().points] == steps


@pytest.mark.parametrize("again", ["append", "replace"])
def test_a_file_written_anew_gives_only_what_differs(tmp_path, again):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,1\n2,2\n")
    file = csv_file(path, "")
    assert len(file.read().points) == 2
    if again == "replace":
        (tmp_path / "new").write_text("step,loss,acc\n1,1,\n2,2,\n3,3,0.5\n")
        (tmp_path / "new").replace(path)
    else:
        path.write_text("step,loss,acc\n1,1,\n2,2,\n3,3,0.5\n")
    assert [(p.step, dict(p.values)) for p in file.read().points] == [(3, {"loss": 3.0, "acc": 0.5})]
    assert file.read().points == []


def test_a_line_without_an_end_is_passed_over_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("batonpass.sync.trainer_metrics.files.LINE_LIMIT_BYTES", 1000)
    monkeypatch.setattr("batonpass.sync.trainer_metrics.files.CHUNK_BYTES", 4000)
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": 1}\n' + "x" * 100_000)
    file = json_lines_file(path, "")
    batches = [file.read()]
    while batches[-1].behind:
        batches.append(file.read())
    with path.open("a") as out:
        out.write('y\n{"step": 2, "loss": 2}\n')
    batches.append(file.read())
    assert [p.step for batch in batches for p in batch.points] == [1, 2]
    assert len([text for batch in batches for text in batch.complaints]) == 1


def test_names_and_numbers():
    assert clean_name("a\x00b\u202e\ud800") == "a?b??"
    assert len(clean_name("x" * 10_000)) == 200
    assert to_value(True) is None
    assert to_value("abc") is None
    assert to_step("10.0") == 10
    assert [to_step(x) for x in (-1, 10**13, math.nan, math.inf, None, [])] == [None] * 6
    assert make_point(1, [("loss", "text"), ("", 1)]) is None


def test_the_step_is_the_finest_there_is():
    assert find_step_name(["epoch", " Step ", "loss"]) == " Step "
    assert find_step_name(["epoch", "loss"]) == "epoch"
    assert find_step_name(["loss"]) is None


def test_a_count_within_the_epoch_goes_on_and_an_old_epoch_goes_back():
    counter = StepCounter()
    counted = [counter.count(raw, epoch) for epoch in (0, 1, 2) for raw in (1, 2, 3)]
    assert counted == list(range(1, 10))
    assert counter.count(2, 1) == 5
    whole = StepCounter()
    assert [whole.count(raw, raw // 10) for raw in (9, 19, 29, 15)] == [9, 19, 29, 15]


def test_the_same_rows_at_the_same_places_are_not_new():
    seen, points = Seen(), [make_point(n, [("a", n)]) for n in range(4)]
    assert all(seen.is_new(p) for p in points[:3])
    seen.begin_again()
    assert [seen.is_new(p) for p in (points[0], points[1], points[3])] == [False, False, True]
    seen.begin_again()
    assert [seen.is_new(p) for p in (points[0], points[1])] == [False, False]
    assert seen.is_new(points[2])


@pytest.mark.parametrize(
    "name",
    ["core.metrics.foreign.point", "core.metrics.foreign.framing", "core.metrics.foreign.steps", "sync.watch_status"],
)
def test_the_examples_hold(name):
    result = doctest.testmod(importlib.import_module(f"batonpass.{name}"))
    assert result.failed == 0 < result.attempted
