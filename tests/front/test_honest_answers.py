"""What `attach`, `save` and `finish` answer is true, also when something went wrong between two lines."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from front_training import arrived, loader, model_and_optimizer, sessions, start, train

from batonpass import endings
from batonpass.core.errors import NothingToRestoreError, StoppedError
from batonpass.core.model import EndKind
from batonpass.core.training import commit
from batonpass.core.training.snapshot import Snapshotter
from batonpass.saver import Saver
from batonpass.sync.active import ActiveSession
from batonpass.sync.service import SyncService
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "drive" / "batonpass")


@pytest.fixture
def another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from batonpass import starting

    def change() -> None:
        starting._open_runs.clear()
        monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "another"))

    return change


def attached(store: str, **options):
    model, optimizer = model_and_optimizer()
    return start(store, save_every_s=1e9, **options).attach(model=model, optimizer=optimizer), model, optimizer


@pytest.mark.parametrize("damage", ["missing", "damaged", "newer"])
def test_a_session_file_that_cannot_be_read_never_means_that_nothing_was_trained(store, another_machine, damage):
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=8)
    assert run.finish()
    (file,) = Path(store).glob("runs/*/sessions/*.json")
    if damage == "missing":
        file.unlink()  # it has not arrived on this mount yet
    else:
        file.write_text("{" if damage == "damaged" else '{"format": 99}')
    another_machine()
    model, optimizer = model_and_optimizer()
    run = start(store)
    with pytest.raises(NothingToRestoreError):
        run.attach(model=model, optimizer=optimizer)


def full_disk(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


def test_save_and_finish_do_not_call_a_step_safe_whose_checkpoint_could_not_be_written(store, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(commit, "_write_file", full_disk)
        run, model, optimizer = attached(store)
        assert "saving works" not in capsys.readouterr().out
        assert run.save(wait=True, timeout_s=20) is False
    assert run.save(wait=True, timeout_s=20) is True  # there is room again: the same step is tried again
    assert [c.step for c in sessions(store)[0].session.checkpoints] == [0]
    with monkeypatch.context() as patch:
        patch.setattr(commit, "_write_file", full_disk)
        train(run, model, optimizer, stop_at=12)
        assert run.finish(timeout_s=20) is False
        assert run.finish(timeout_s=20) is False
    assert "safe to close" not in capsys.readouterr().out


def test_a_finish_that_was_interrupted_leaves_no_heartbeat_no_lock_and_no_false_answer(store, monkeypatch):
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=8)
    assert arrived(run)
    active = run._active

    def stop_button(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SyncService, "drain", stop_button)
        with pytest.raises(KeyboardInterrupt):  # while it waits for an upload
            active.close(EndKind.CLOSED, timeout_s=20)
    again, *_ = attached(store)  # this very kernel may go on at once
    assert again.step == 8
    seen = next(s.session for s in sessions(store) if s.session.id == active.joined.session)
    assert seen.end is not None
    assert again.finish()


def test_the_stop_button_during_finish_does_not_make_the_next_finish_say_that_all_is_safe(store, monkeypatch):
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=8)
    assert arrived(run)

    def stop_button(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ActiveSession, "close", stop_button)
        with pytest.raises(KeyboardInterrupt):
            run.finish()
    assert run.finish() is False


def test_a_store_that_hangs_does_not_keep_finish_waiting_and_later_writes_nothing(store, monkeypatch):
    monkeypatch.setattr("batonpass.sync.active.LAST_WORDS_S", 0.5)
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=8)
    assert arrived(run)
    goes_on, real = threading.Event(), FolderStore.put

    def hangs(self, key, *args, **kwargs):
        goes_on.wait(60)
        return real(self, key, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "put", hangs)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(run.finish(timeout_s=1.0)), daemon=True)
        asking.start()
        asking.join(20)
        assert answers == [False]
        goes_on.set()
    deadline = time.monotonic() + 20
    while not run._active.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run._active.ended
    with pytest.raises(StoppedError):
        run.joined.writer.publish()


def test_a_heartbeat_on_its_way_at_the_end_is_not_written_after_the_lock_is_free(store, monkeypatch):
    run, *_ = attached(store)
    reads, goes_on, began = run._active._fence, threading.Event(), threading.Event()

    def slow_look():
        if threading.current_thread().name == "batonpass-beat":
            began.set()
            goes_on.wait(30)
        reads()

    run._active.service._duties = replace(run._active.service._duties, fence=slow_look)
    assert began.wait(20)
    assert run.finish()
    beats = sessions(store)[0].session.beat
    goes_on.set()
    deadline = time.monotonic() + 20
    while run._active.service.beat.running_since is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run._active.service.beat.running_since is None
    assert sessions(store)[0].session.beat == beats
    assert run._active.service.beat.ok


def test_a_save_straight_from_memory_that_is_interrupted_leaves_no_torn_checkpoint(store, monkeypatch):
    run, model, _ = attached(store)
    assert arrived(run)
    run._snapshotter = Snapshotter(available_bytes=lambda: 0)
    run.log(loss=1.0)
    real, writing, goes_on = commit.write_safetensors, threading.Event(), threading.Event()

    def slow(*args):
        made = real(*args)
        writing.set()
        goes_on.wait(30)
        return made

    wait = Saver.wait

    def stop_button(self, timeout_s):
        if timeout_s is not None:
            return wait(self, timeout_s)
        assert writing.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(commit, "write_safetensors", slow)
    monkeypatch.setattr(Saver, "wait", stop_button)
    with pytest.raises(KeyboardInterrupt):
        run.save()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)  # the training goes on while the file is still being written
    goes_on.set()
    assert run._saver.wait(20)
    assert [path.name for path in run.joined.local.checkpoints.iterdir()] == [f"0-{run.session}-1"]
    monkeypatch.undo()
    assert run.save(wait=True, timeout_s=20)
    run.finish()


def test_a_training_begun_from_scratch_does_not_go_back_to_the_old_weights_after_the_stop_button(store, capsys):
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=20)
    assert run.finish()
    model, optimizer = model_and_optimizer()
    run = start(store, save_every_s=1e9).attach(model=model, optimizer=optimizer, from_scratch=True)
    train(run, model, optimizer, stop_at=3)
    for (batch,) in run.steps(loader()):
        model(batch).square().mean().backward()
        break  # the stop button between backward and step
    steps = run.steps(loader())
    assert run._loop.finished_steps == 3
    assert run.status().branch == "from scratch"
    assert "PARTIAL" in capsys.readouterr().out
    assert len(list(steps)) == 37
    run.finish()


def test_starting_offline_twice_in_one_kernel_closes_the_first_session(tmp_path, capsys):
    for _ in range(2):
        run = start(str(tmp_path / "not there"), offline=True)
        assert run.step == 0
    assert "closing that session first" in capsys.readouterr().out
    run.finish()


def test_output_that_cannot_be_printed_does_not_stop_the_training(store, monkeypatch):
    run, model, optimizer = attached(store)

    class FullDisk(io.StringIO):
        def write(self, _text):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", FullDisk())
        patch.setattr(commit, "_write_file", full_disk)
        train(run, model, optimizer, stop_at=8)
        assert not run.finish(timeout_s=20)
    assert run.step == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_was_forked_does_not_end_the_run_of_its_parent(store):
    run, *_ = attached(store)
    child = os.fork()
    if child == 0:
        endings._at_exit()
        os._exit(run._closed)
    assert os.waitpid(child, 0)[1] == 0
    assert sessions(store)[0].session.end is None
    assert run.finish()
