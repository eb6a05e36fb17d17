"""A watcher that begins anew logs nothing twice; a trainer that goes back leaves ghosts and no zigzag."""

from __future__ import annotations

import json
import random

import pytest
from watch.metric_files import Logged, append, begin_events, hf_state, scalars
from watch.trainers import torch_zip


@pytest.fixture
def logged(tmp_path):
    def read(watch=None):
        if watch is not None:
            watch.active.joined.log.flush(5)
            watch.active.service.publish_now()
        return Logged(tmp_path)

    return read


def run_of(first, last, attempt, names=("loss", "lr")):
    """Two metrics: one that differs between attempts and one that does not."""
    return [(s, n, s + 1000 * attempt * (n == "loss")) for s in range(first, last + 1) for n in names]


def write(path, rows):
    """Rows in the form that the file's name asks for."""
    if "tfevents" in path.name:
        append(path, scalars(rows))
        return
    steps = {}
    for step, name, value in rows:
        steps.setdefault(step, {"step": step})[name] = float(value)
    if path.suffix == ".jsonl":
        append(path, "".join(json.dumps(row) + "\n" for row in steps.values()))
        return
    if not path.exists():
        path.write_text("step,loss,lr\n")
    append(path, "".join(f"{row['step']},{row['loss']},{row['lr']}\n" for row in steps.values()))


def begin(output, kind):
    return begin_events(output) if kind == "events" else output / {"csv": "metrics.csv", "jsonl": "log.jsonl"}[kind]


KINDS = ("events", "csv", "jsonl")


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainer_that_goes_back_under_a_living_watch_is_a_rewind(output, watch, look, logged, kind):
    path = begin(output, kind)
    write(path, run_of(1, 10, 0))
    each = watch()
    look(each)
    write(begin_events(output, 2) if kind == "events" else path, run_of(7, 12, 1))
    look(each)
    found = logged(each)
    session = found.sessions[-1]
    assert found.curve("loss") == [(s, s) for s in range(1, 7)] + [(s, s + 1000) for s in range(7, 13)]
    assert found.ghosts("loss") == [(s, s) for s in range(7, 11)]
    assert found.curve("lr") == [(s, s) for s in range(1, 13)]
    assert session.rewinds == ((20, 12),), "the record says it, and not only the curves"
    assert (session.step, session.steps_done) == (12, 16)


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_trainer_that_goes_back_by_its_last_step_alone_is_a_rewind_too(output, watch, look, logged, kind, watched):
    """It died one step after its save, and goes on in the same file: nothing there goes back."""
    path = begin(output, kind)
    write(path, run_of(1, 41, 0))
    each = watch()
    look(each)
    if not watched:
        each.close()
        write(path, run_of(41, 44, 1))
        each = watch()
    else:
        write(path, run_of(41, 44, 1))
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(s, s) for s in range(1, 41)] + [(s, s + 1000) for s in range(41, 45)]
    assert found.ghosts("loss") == [(41, 41)]


def test_a_file_that_says_each_step_several_times_goes_nowhere_back(output, watch, look, logged):
    path = begin(output, "jsonl")
    for step in range(1, 30):
        for part in range(3):
            append(path, json.dumps({"step": step, "loss": step + part / 10}) + "\n")
    each = watch()
    look(each)
    found = logged(each)
    assert found.sessions[-1].rewinds == ()
    assert len(found.curve("loss")) == 87


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_new_watch_of_the_same_files_logs_no_row_twice(output, watch, look, logged, kind, checkpoint):
    path = begin(output, kind)
    write(path, run_of(1, 6, 0))
    first = watch()
    look(first)
    if checkpoint:
        (output / "step=6.pt").write_bytes(torch_zip(1))
        look(first)
    write(path, run_of(7, 10, 0))
    look(first)
    first.close()
    write(path, run_of(11, 12, 0))
    second = watch()
    look(second)
    found = logged(second)
    assert found.rows() == 24
    assert found.curve("loss") == found.curve("lr") == [(s, s) for s in range(1, 13)]
    assert found.ghosts("loss") == []
    assert (found.sessions[-1].step, found.sessions[-1].steps_done) == (12, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_three_watches_one_of_which_saw_no_checkpoint_still_tell_one_story(output, watch, look, logged, kind):
    path = begin(output, kind)
    write(path, run_of(1, 6, 0))
    (output / "step=4.pt").write_bytes(torch_zip(1))
    for last in (8, 10, 12):
        each = watch()
        look(each)
        write(path, run_of(last - 1, last, 0))
        look(each)
        each.close()
    found = logged()
    assert found.rows() == 24
    assert found.curve("loss") == [(s, s) for s in range(1, 13)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainer_that_went_back_while_nobody_watched_supersedes_the_rows_of_the_watch_before(
    output, watch, look, logged, kind
):
    path = begin(output, kind)
    write(path, run_of(1, 6, 0))
    (output / "step=6.pt").write_bytes(torch_zip(1))
    first = watch()
    look(first)
    write(path, run_of(7, 10, 0))
    look(first)
    first.close()
    write(begin_events(output, 2) if kind == "events" else path, run_of(7, 12, 1))
    second = watch()
    look(second)
    found = logged(second)
    assert found.curve("loss") == [(s, s) for s in range(1, 7)] + [(s, s + 1000) for s in range(7, 13)]
    assert found.curve("lr") == [(s, s) for s in range(1, 13)]
    assert found.ghosts("loss") == [(s, s) for s in range(7, 11)]
    assert found.sessions[-1].resumed_from.metric_rows == 12
    assert found.sessions[-1].steps_done == 6


def test_a_third_watch_after_a_rewind_still_logs_nothing_twice(output, watch, look, logged):
    path = begin_events(output)
    write(path, run_of(1, 10, 0))
    first = watch()
    look(first)
    first.close()
    write(begin_events(output, 2), run_of(7, 12, 1))
    for _ in range(2):
        each = watch()
        look(each)
        each.close()
    found = logged()
    assert found.rows() == 20 + 12
    assert found.curve("loss") == [(s, s) for s in range(1, 7)] + [(s, s + 1000) for s in range(7, 13)]


def test_another_machine_that_continues_from_a_checkpoint_with_fresh_files(tmp_path, output, watch, look, logged):
    """The trainer's old files are gone; what came after the checkpoint is superseded, and the restored history is not logged again."""
    history = [{"step": s, "loss": float(s)} for s in range(1, 11)]
    hf_state(output, 6, history[:6])
    (output / "checkpoint-6" / "model.pt").write_bytes(torch_zip(1))
    first = watch()
    look(first)
    state = hf_state(output, 10, history, name=".")
    look(first)
    first.close()
    state.unlink()
    second = watch()
    look(second)
    assert logged(second).rows() == 10
    hf_state(output, 8, [*history[:6], {"step": 7, "loss": 70.0}, {"step": 8, "loss": 80.0}])
    look(second)
    found = logged(second)
    assert found.rows() == 12
    assert found.curve("loss") == [(s, float(s)) for s in range(1, 7)] + [(7, 70.0), (8, 80.0)]


def test_a_history_that_is_shorter_after_a_restart_gives_only_what_differs(output, watch, look, logged):
    history = [{"step": s, "loss": float(s)} for s in range(1, 11)]
    hf_state(output, 10, history)
    each = watch()
    look(each)
    hf_state(output, 7, [*history[:6], {"step": 7, "loss": 70.0}])
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(s, float(s)) for s in range(1, 7)] + [(7, 70.0)]
    assert found.ghosts("loss") == [(s, float(s)) for s in range(7, 11)]
    assert found.rows() == 11


def test_keras_writes_its_log_anew_when_it_starts_over(output, watch, look, logged):
    path = output / "training.csv"
    path.write_text("epoch,loss\n0,1.0\n1,0.5\n2,0.25\n")
    each = watch()
    look(each)
    path.write_text("epoch,loss\n0,2.0\n")
    look(each)
    append(path, "1,1.5\n")
    look(each)
    found = logged(each)
    assert found.curve("loss") == [(0, 2.0), (1, 1.5)]
    assert found.rows() == 5


def test_a_slower_metric_in_a_file_of_its_own_is_no_rewind(output, watch, look, logged):
    train, val = begin_events(output / "train", 1), begin_events(output / "val", 2)
    each = watch()
    for last in (10, 20, 30):
        append(train, scalars([(s, "loss", s) for s in range(last - 9, last + 1)]))
        look(each)
        append(val, scalars([(last - 5, "loss", last)]))
        look(each)
    found = logged(each)
    assert found.sessions[-1].rewinds == ()
    assert found.curve("val/loss") == [(5, 10), (15, 20), (25, 30)]
    assert len(found.curve("train/loss")) == 30


def test_without_comparing_with_the_run_the_rows_would_come_twice(output, watch, look, logged, monkeypatch):
    """The negative control of the tests above."""
    from batonpass.sync.trainer_metrics.stored import Before

    path = begin_events(output)
    write(path, run_of(1, 6, 0))
    first = watch()
    look(first)
    first.close()
    monkeypatch.setattr("batonpass.sync.watched_metrics.read_before", lambda *_: Before())
    second = watch()
    look(second)
    assert logged(second).rows() == 24


def test_a_store_that_does_not_answer_keeps_metrics_waiting_and_nothing_else(output, watch, look, logged, monkeypatch):
    from batonpass.core.errors import StoreUnreachableError

    path = begin_events(output)
    write(path, run_of(1, 6, 0))
    each = watch()

    def fail(*_):
        raise StoreUnreachableError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr("batonpass.sync.watched_metrics.read_before", fail)
        (output / "step=4.pt").write_bytes(torch_zip(1))
        look(each)
        each.poll()
    assert sum("metrics wait" in line for line in each.said) == 1
    assert len(logged(each).sessions[-1].checkpoints) == 1
    look(each)
    assert logged(each).rows() == 12


class Trainer:
    """A trainer that saves, dies and goes back, and what its curve must be in the end. `other` machines keep no old file."""

    def __init__(self, output, kind):
        self.output, self.kind = output, kind
        self.step = self.saved = self.attempt = self.launch = 0
        self.expected, self.rows = {}, []
        self.begin()

    def begin(self):
        self.launch += 1
        self.path = begin_events(self.output, self.launch) if self.kind == "events" else begin(self.output, self.kind)

    def train(self, count):
        first = self.step + 1
        self.step += count
        rows = run_of(first, self.step, self.attempt)
        self.rows += rows
        self.expected = {s: v for s, v in self.expected.items() if s < first}
        self.expected |= {s: v for s, n, v in rows if n == "loss"}
        write(self.path, rows)

    def save(self):
        if self.step > self.saved:
            self.saved = self.step
            (self.output / f"step={self.step}.pt").write_bytes(torch_zip(self.step, 200))

    def go_back(self):
        if self.kind != "events" and self.step == self.saved + 1:
            self.train(1)  # one row of one step after another, in one file, may as well be two batches of a step
        self.step, self.attempt = self.saved, self.attempt + 1
        self.begin()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_watcher_and_trainer_go_through_the_curve_is_the_trainers_last_word(
    output, watch, look, logged, kind, seed
):
    draw = random.Random(f"{kind}{seed}")
    trainer, each = Trainer(output, kind), watch()
    trainer.train(3)
    for _ in range(14):
        what = draw.choice(["train", "train", "train", "save", "go back", "look", "look", "new watch"])
        if what == "train":
            trainer.train(draw.randint(1, 9))
        elif what == "save":
            trainer.save()
        elif what == "go back":
            trainer.go_back()
            trainer.train(draw.randint(1, 4))
        elif what == "look":
            look(each)
        elif each is not None:
            if draw.random() < 0.5:
                look(each)
            each.close()
            each = watch()
    look(each)
    each.close()
    found = logged()
    assert dict(found.curve("loss")) == trainer.expected
    assert len(found.curve("loss")) == len(trainer.expected)
    assert dict(found.curve("lr")) == {step: float(step) for step in trainer.expected}
    assert found.rows() == len(trainer.rows)
    assert found.sessions[-1].step == trainer.step
