"""Whatever lies in a watched folder: no crash, said once, and the checkpoints are taken all the same."""

from __future__ import annotations

import random

from watch.metric_files import Logged, append, begin_events, event, hf_state, scalar_value, scalars
from watch.trainers import torch_zip

from batonpass.core.metrics.log import NAMES_LIMIT


def test_a_folder_full_of_nonsense(tmp_path, output, watch, look):
    draw = random.Random(7)
    for name in (
        "events.out.tfevents.1.h",
        "events.out.tfevents.99999999999999999999999.h",
        "a.csv",
        "b.jsonl",
        "c.log",
    ):
        (output / name).write_bytes(draw.randbytes(50_000))
    (output / "deep.jsonl").write_text("[" * 200_000 + "\n" + '{"a":' * 200_000 + "\n")
    hf_state(output, 1, []).write_bytes(b"[" * 200_000)
    (output / "loss\n\x1b[31m.csv").write_text("step,loss\n1,2\n")
    (output / "last.pt").write_bytes(torch_zip(1))
    each = watch()
    for _ in range(4):
        look(each)
    assert [line for line in each.said if "damaged at byte" in line]
    assert len(each.said) == len(set(each.said))
    assert each.close()
    found = Logged(tmp_path)
    assert len(found.sessions[-1].checkpoints) == 1


def test_names_with_control_characters_and_numbers_that_are_none(tmp_path, output, watch, look):
    path = begin_events(output)
    append(path, event(1, scalar_value("lo\x1b]0;ss\n", float("nan")), scalar_value("x" * 5000, float("inf"))))
    append(path, event(2**62, scalar_value("big", 1.0)))
    each = watch()
    look(each)
    each.close()
    found = Logged(tmp_path)
    assert sorted(found.series) == ["lo?]0;ss?", "x" * 200]
    assert found.sessions[-1].step == 1


def test_more_different_names_than_anyone_can_look_at_are_bounded_and_said_once(tmp_path, output, watch, look):
    (output / "log.jsonl").write_text(
        "".join(f'{{"step": {n}, "name{2 * n}": 1, "name{2 * n + 1}": 1}}\n' for n in range(NAMES_LIMIT))
    )
    each = watch()
    look(each)
    assert len([line for line in each.said if "different metrics" in line]) == 1
    each.close()
    found = Logged(tmp_path)
    assert len(found.series) == NAMES_LIMIT == found.rows()


def test_a_file_that_goes_back_with_every_row_does_not_fill_the_record(tmp_path, output, watch, look):
    rows = "".join(f"{step},1\n" for n in range(1500) for step in (n % 7, 100 - n % 7))
    (output / "a.csv").write_text("step,loss\n" + rows)
    each = watch()
    look(each)
    each.close()
    session = Logged(tmp_path).sessions[-1]
    assert len(session.rewinds) == 500
    assert len([line for line in each.said if "went back" in line]) == 1


def test_a_large_sparse_file_of_one_line_costs_a_bounded_read_at_each_look(output, watch):
    with (output / "a.csv").open("wb") as file:
        file.write(b"step,loss\n1,2\n")
        file.truncate(2 << 30)
    each = watch()
    each.poll()
    each.poll()
    assert each.metrics.place.rows == 1
    (output / "a.csv").unlink()


def test_an_error_nobody_thought_of_is_said_once_and_the_checkpoint_is_taken(
    tmp_path, output, watch, look, monkeypatch
):
    """The negative control of "never a crash": the reader itself is broken."""

    def fail(*_):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("batonpass.sync.trainer_metrics.reading.find_sources", fail)
    append(begin_events(output), scalars([(1, "loss", 1.0)]))
    (output / "last.pt").write_bytes(torch_zip(1))
    each = watch()
    look(each)
    look(each)
    assert len([line for line in each.said if "on purpose" in line]) == 1
    each.close()
    assert len(Logged(tmp_path).sessions[-1].checkpoints) == 1
