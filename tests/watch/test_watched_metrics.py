"""The numbers that other trainers write into files reach the run as they come, each once."""

from __future__ import annotations

import json
import os

import pytest
from watch.metric_files import Logged, append, begin_events, event, hf_state, scalar_value, scalars
from watch.trainers import torch_zip


@pytest.fixture
def logged(tmp_path):
    """Publishes what a watch has taken in, and reads it back from the store."""

    def read(watch):
        watch.active.joined.log.flush(5)
        watch.active.service.publish_now()
        return Logged(tmp_path)

    return read


def test_scalars_of_an_event_file_come_in_as_they_are_written(output, watch, look, logged):
    path = begin_events(output / "logs")
    append(path, scalars([(1, "loss", 1.0), (2, "loss", 0.5)]))
    each = watch()
    look(each)
    assert logged(each).curve("loss") == [(1, 1.0), (2, 0.5)]
    append(path, event(3, scalar_value("loss", 0.25, form="float"), scalar_value("acc", 0.5, form="double")))
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(1, 1.0), (2, 0.5), (3, 0.25)]
    assert found.curve("acc") == [(3, 0.5)]
    assert found.rows() == 4


def test_sub_folders_come_before_the_names_and_folders_of_a_launch_do_not(output, watch, look, logged):
    for number, (folder, tag) in enumerate(
        [("runs/Nov26_10-00-00_host/train", "loss"), ("lightning_logs/version_3", "acc"), ("val", "loss")], 1
    ):
        append(begin_events(output / folder, number), scalars([(1, tag, number)]))
    each = watch()
    look(each)
    assert sorted(logged(each).series) == ["acc", "train/loss", "val/loss"]


def test_the_record_says_how_far_the_training_came_and_how_long_it_took(output, watch, look, logged):
    path = begin_events(output)
    append(path, scalars([(10, "loss", 1.0), (20, "loss", 0.5), (20, "epoch", 2.0)]))
    each = watch()
    look(each)
    session = logged(each).sessions[-1]
    assert (session.step, session.epoch, session.steps_done) == (20, 2.0, 20)
    assert session.trained_s == pytest.approx(100.0)
    assert each.active.status().step == 20


def test_the_history_of_the_hugging_face_trainer_is_read_from_its_newest_checkpoint(output, watch, look, logged):
    history = [{"step": n, "epoch": n / 100, "loss": 1 / n, "learning_rate": 0.1, "note": "x"} for n in (10, 20)]
    hf_state(output, 20, history)
    each = watch()
    look(each)
    history += [{"step": 20, "epoch": 0.2, "eval_loss": 0.5}, {"step": 30, "epoch": 0.3, "loss": 0.1}]
    hf_state(output, 30, history)
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(10, 0.1), (20, 0.05), (30, 0.1)]
    assert found.curve("eval_loss") == [(20, 0.5)]
    assert found.rows() == 6
    assert found.sessions[-1].epoch == 0.3


def test_a_copy_of_a_checkpoint_under_another_name_is_no_second_trainer(output, watch, look, logged):
    for name in ("checkpoint-10", "best", "."):
        hf_state(output, 10, [{"step": 10, "loss": 0.5}], name=name)
    hf_state(output / "other", 10, [{"step": 10, "loss": 0.25}], name="checkpoint-10")
    each = watch()
    look(each)
    assert logged(each).curve("loss") == [(10, 0.5)]


def test_the_same_numbers_in_two_kinds_of_files_are_logged_once(output, watch, look, logged):
    """The Hugging Face Trainer writes both; the event file counts, and a CSV beside them does not."""
    append(begin_events(output / "runs" / "Nov26_10-00-00_host"), scalars([(10, "train/loss", 0.5)]))
    hf_state(output, 10, [{"step": 10, "loss": 0.5}])
    (output / "metrics.csv").write_text("step,loss\n10,0.5\n")
    each = watch()
    look(each)
    found = logged(each)
    assert sorted(found.series) == ["train/loss"]
    assert each.metrics.source.words == "TensorBoard events"


def test_a_new_watch_goes_on_with_the_kind_that_the_one_before_has_read(output, watch, look, logged):
    (output / "metrics.csv").write_text("step,loss\n10,0.5\n")
    first = watch()
    look(first)
    first.close()
    append(begin_events(output / "runs"), scalars([(10, "train/loss", 0.5)]))
    append(output / "metrics.csv", "20,0.25\n")
    second = watch()
    look(second)
    found = logged(second)
    assert sorted(found.series) == ["loss"]
    assert found.curve("loss") == [(10, 0.5), (20, 0.25)]


LIGHTNING = "epoch,step,train_loss,val_loss\n0,9,0.9,\n0,9,,0.8\n"


def test_lightnings_csv_grows_columns_by_being_written_anew(output, watch, look, logged):
    path = output / "lightning_logs" / "version_0" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text(LIGHTNING)
    each = watch()
    look(each)
    path.write_text("epoch,step,lr,train_loss,val_loss\n0,9,,0.9,\n0,9,,,0.8\n1,19,0.1,0.7,\n")
    look(each)
    found = logged(each)
    assert found.curve("train_loss") == [(9, 0.9), (19, 0.7)]
    assert found.curve("val_loss") == [(9, 0.8)]
    assert found.curve("lr") == [(19, 0.1)]
    assert found.rows() == 4
    assert found.sessions[-1].rewinds == ()


def test_ultralytics_padded_columns_and_an_epoch_as_step(output, watch, look, logged):
    path = output / "train" / "results.csv"
    path.parent.mkdir()
    path.write_text("                  epoch,         train/box_loss\n                      1,                 2.5\n")
    (path.parent / "last.pt").write_bytes(torch_zip(1))
    each = watch()
    look(each)
    append(path, "                      2,                 1.5\n")
    (path.parent / "last.pt").write_bytes(torch_zip(2))
    look(each)
    found = logged(each)
    assert found.curve("train/train/box_loss") == [(1, 2.5), (2, 1.5)]
    assert [c.step for c in found.sessions[-1].checkpoints] == [1, 2], (
        "a name without a number: the metrics say the step"
    )
    assert found.sessions[-1].epoch == 2.0


def test_keras_log_without_the_suffix_csv_and_another_log_beside_it(output, watch, look, logged):
    (output / "training.log").write_text("epoch;accuracy;loss\n0;0.5;1.5\n1;0.75;nan\n")
    (output / "server.log").write_text("step,loss\n1,2\n")
    each = watch()
    look(each)
    found = logged(each)
    assert found.curve("accuracy") == [(0, 0.5), (1, 0.75)]
    assert sorted(found.series) == ["accuracy", "loss"]


def test_json_lines_with_a_torn_last_line(output, watch, look, logged):
    path = output / "log.jsonl"
    path.write_text('{"step": 1, "loss": 2.0, "ok": true}\nnonsense\n{"step": 2, "lo')
    each = watch()
    look(each)
    append(path, 'ss": 1.0, "train": {"lr": 0.1}}\n')
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(1, 2.0), (2, 1.0)]
    assert found.curve("train/lr") == [(2, 0.1)]
    assert found.rows() == 3


def test_steps_that_begin_anew_with_every_epoch_become_one_count(output, watch, look, logged):
    rows = [{"epoch": e, "iter": i, "loss": e + i / 10} for e in range(3) for i in range(4)]
    (output / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    each = watch()
    look(each)
    found = logged(each)
    assert [step for step, _ in found.curve("loss")] == list(range(12))
    assert found.sessions[-1].rewinds == ()


def test_two_tables_with_one_column_name_are_two_curves(output, watch, look, logged):
    for name, value in (("train", 1.0), ("val", 2.0)):
        (output / f"{name}.csv").write_text(f"step,loss\n1,{value}\n2,{value}\n")
    each = watch()
    look(each)
    found = logged(each)
    assert found.curve("train/loss") == [(1, 1.0), (2, 1.0)]
    assert found.curve("val/loss") == [(1, 2.0), (2, 2.0)]
    assert found.sessions[-1].rewinds == ()


def test_several_event_files_of_one_folder_are_one_story_in_order(output, watch, look, logged):
    second, first = begin_events(output, 2), begin_events(output, 1)
    append(second, scalars([(3, "loss", 3.0)]))
    append(first, scalars([(1, "loss", 1.0), (2, "loss", 2.0)]))
    each = watch()
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert found.sessions[-1].rewinds == ()


def test_a_checkpoint_counts_the_rows_up_to_its_step(tmp_path, output, watch, look, logged):
    path = begin_events(output)
    append(path, scalars([(n, "loss", 1 / n) for n in range(1, 11)]))
    (output / "step=6.pt").write_bytes(torch_zip(1))
    each = watch()
    look(each)
    (listing,) = logged(each).sessions[-1].checkpoints
    assert (listing.step, listing.metric_rows) == (6, 6)


def test_reading_can_be_switched_off_for_callbacks_that_log_themselves(output, watch, look, logged):
    append(begin_events(output), scalars([(1, "loss", 1.0)]))
    each = watch(metrics=False)
    each.metrics.log(1, {"loss": 1.0}, epoch=0.5)
    each.metrics.log(2, {"loss": 0.5}, epoch=1.0)
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(1, 1.0), (2, 0.5)]
    assert (found.sessions[-1].step, found.sessions[-1].steps_done) == (2, 2)


def test_cost_follows_what_is_new(output, watch, look, logged, monkeypatch):
    """A look at files that did not change opens none of them; a look at one that grew reads from where the last one ended."""
    from batonpass.sync.trainer_metrics import growing

    path = begin_events(output)
    append(path, scalars([(n, "loss", 1 / n) for n in range(1, 2000)]))
    each = watch()
    look(each)
    read = []
    stretch = growing.GrowingFile.read
    monkeypatch.setattr(
        growing.GrowingFile, "read", lambda self, limit: read.append(found := stretch(self, limit)) or found
    )
    each.poll()
    assert read == [None]
    append(path, new := scalars([(2000, "loss", 0.5)]))
    each.poll()
    assert read[-1].data == new
    assert logged(each).rows() == 2000


def test_a_history_of_many_chunks_is_taken_in_over_several_looks_without_a_loss(
    output, watch, look, logged, monkeypatch
):
    monkeypatch.setattr("batonpass.sync.trainer_metrics.files.CHUNK_BYTES", 4096)
    path = output / "metrics.csv"
    path.write_text("step,loss\n" + "".join(f"{n},{n / 3}\n" for n in range(5000)))
    each = watch()
    look(each)
    assert logged(each).curve("loss") == [(n, n / 3) for n in range(5000)]


def test_closing_takes_the_last_rows_in(tmp_path, output, watch):
    each = watch()
    append(begin_events(output), scalars([(1, "loss", 1.0)]))
    assert each.close()
    assert Logged(tmp_path).curve("loss") == [(1, 1.0)]


def test_a_folder_that_is_not_readable_is_passed_over(output, watch, look, logged):
    (output / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(output / "pipe.csv")
    (output / ".hidden.csv").write_text("step,loss\n1,1\n")
    each = watch()
    look(each)
    assert logged(each).rows() == 0


def test_a_history_that_could_not_be_read_is_read_at_the_next_look(tmp_path, monkeypatch):
    """The last entries of a training are written once, and the file does not change again."""
    import json

    from batonpass.sync.trainer_metrics.files import History

    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": [{"step": 1, "loss": 0.5}]}))
    history = History("")
    history.paths = [path]
    real = type(path).read_bytes

    def fails(_):
        raise OSError(5, "the disk does not answer")

    monkeypatch.setattr(type(path), "read_bytes", fails)
    with pytest.raises(OSError, match="does not answer"):
        history.read()
    monkeypatch.setattr(type(path), "read_bytes", real)
    assert len(history.read().points) == 1
