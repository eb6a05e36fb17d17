"""The run as the notebook sees it, on a real folder: start, attach, loop, save, finish, and the next day."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from front_training import arrived, loader, model_and_optimizer, sessions, start, train, weights

import batonpass as bp
from batonpass.core.errors import (
    BatonpassError,
    CheckpointMismatchError,
    HeldElsewhereError,
    NothingToRestoreError,
    NotOurFolderError,
    UsageError,
)
from batonpass.core.model import EndKind
from batonpass.core.providers import PROVIDERS
from batonpass.sync.stores import open_store


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "drive" / "batonpass")


def test_a_run_that_ends_and_goes_on_the_next_day_equals_one_that_never_ended(store, tmp_path):
    model, optimizer = model_and_optimizer()
    run = start(str(tmp_path / "other")).attach(model=model, optimizer=optimizer)
    whole = train(run, model, optimizer)
    assert run.finish()
    expected = weights(model)

    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    first = train(run, model, optimizer, stop_at=23)
    assert run.finish()
    model, optimizer = model_and_optimizer()
    torch.manual_seed(99)
    run = start(store).attach(model=model, optimizer=optimizer)
    assert run.step == 23
    second = train(run, model, optimizer)
    assert run.finish()
    assert first + second == whole
    assert weights(model) == expected
    resumed = sessions(store)[1].session.resumed_from
    assert resumed.label == "EXACT", resumed.missing


def test_finish_says_what_is_safe_and_the_session_file_agrees(store, capsys):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer)
    assert run.finish()
    assert "finished at step 40 of 40; step 40 is on the store, verified: safe to close" in capsys.readouterr().out
    (seen,) = sessions(store)
    assert seen.session.end.kind is EndKind.FINISHED
    assert seen.session.checkpoints[-1].step == 40
    assert seen.session.rows == 40


def test_finish_below_the_goal_ends_the_session_and_not_the_run(store, capsys):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    run.finish()
    assert "session ended at step 10 of 40" in capsys.readouterr().out
    assert sessions(store)[0].session.end.kind is EndKind.CLOSED


def test_the_start_line_that_is_printed_resumes_and_never_creates(store, capsys):
    start(store).finish()
    line = next(part for part in capsys.readouterr().out.splitlines() if "bp.start(" in part)
    assert "run_id=" in line
    assert "root_id=" in line
    shutil.rmtree(store)
    with pytest.raises(BatonpassError):
        exec(line.strip(), {"bp": bp})
    assert not Path(store).exists() or not list(Path(store).glob("runs/*"))


def test_another_model_is_refused_and_nothing_is_lost(store):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    run.finish()
    wide, optimizer = model_and_optimizer(width=16)
    before = weights(wide)
    run = start(store)
    with pytest.raises(CheckpointMismatchError, match=r"0\.weight"):
        run.attach(model=wide, optimizer=optimizer)
    assert weights(wide) == before
    run.finish()
    model, optimizer = model_and_optimizer()
    assert start(store).attach(model=model, optimizer=optimizer).step == 10


def test_a_corrupt_newest_checkpoint_is_passed_over_and_said(store, capsys, tmp_path, monkeypatch):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    assert arrived(run)
    train(run, model, optimizer, stop_at=20)
    run.finish()
    (seen,) = sessions(store)
    newest = seen.session.checkpoints[-1]
    pool = next(p for p in Path(store).glob("runs/*/files/*") if p.name.startswith(f"{newest.step}-model"))
    content = bytearray(pool.read_bytes())
    content[-5] ^= 1
    pool.write_bytes(content)
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "another machine"))
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    assert run.step < 20
    assert "passed over: step 20 is damaged" in capsys.readouterr().out
    assert sessions(store)[-1].session.quarantined == (newest.key,)
    assert pool.exists()


def test_a_trained_run_without_a_restorable_checkpoint_is_never_begun_from_zero_silently(store, monkeypatch, tmp_path):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    run.finish()
    for pool in Path(store).glob("runs/*/files/*"):
        pool.unlink()
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "another machine"))
    model, optimizer = model_and_optimizer()
    run = start(store)
    with pytest.raises(NothingToRestoreError, match="has not arrived"):
        run.attach(model=model, optimizer=optimizer)
    run.attach(model=model, optimizer=optimizer, from_scratch=True)
    assert run.step == 0
    assert run.status().branch == "from scratch"


def test_starting_again_in_one_kernel_closes_the_old_session_first(store, capsys):
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    again = start(store)
    assert "closing that session first" in capsys.readouterr().out
    model, optimizer = model_and_optimizer()
    assert again.attach(model=model, optimizer=optimizer).step == 10
    assert len(sessions(store)) == 2


def test_a_second_attach_says_what_it_discards_and_goes_back_to_the_checkpoint(store, capsys):
    model, optimizer = model_and_optimizer()
    run = start(store, save_every_s=1e9).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    assert arrived(run)
    at_ten = weights(model)
    for _ in zip(range(5), run.steps(loader()), strict=False):
        optimizer.zero_grad()
        model(torch.ones(1, 4)).sum().backward()
        optimizer.step()
    assert weights(model) != at_ten
    model, optimizer = model_and_optimizer()
    run.attach(model=model, optimizer=optimizer)
    assert "discarded" in capsys.readouterr().out
    assert weights(model) == at_ten


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(NotOurFolderError) as caught:
        start(str(tmp_path))
    assert caught.value.hint
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["holiday.jpg"]


def test_a_drive_that_is_not_mounted_is_not_made_up(tmp_path, monkeypatch):
    monkeypatch.setenv("BATONPASS_MOUNT_POINTS", str(tmp_path / "mount"))
    (tmp_path / "mount").mkdir()
    with pytest.raises(NotOurFolderError, match="no Drive is mounted"):
        start(str(tmp_path / "mount" / "MyDrive" / "batonpass"))
    assert list((tmp_path / "mount").iterdir()) == []


def test_on_a_mounted_drive_a_checkpoint_is_handed_over_and_called_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BATONPASS_MOUNT_POINTS", str(tmp_path / "mount"))
    (tmp_path / "mount" / "MyDrive").mkdir(parents=True)
    model, optimizer = model_and_optimizer()
    run = start(str(tmp_path / "mount" / "MyDrive" / "batonpass")).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=10)
    run.finish()
    assert "handed over" in capsys.readouterr().out


def test_without_a_store_or_with_a_silly_goal_start_says_what_to_do(store):
    with pytest.raises(UsageError, match="needs a store"):
        bp.start("cats")
    with pytest.raises(UsageError, match="goal_steps"):
        bp.start("cats", store=store, goal_steps=0)


def test_steps_before_attach_is_a_usage_error(store):
    with pytest.raises(UsageError, match="attach"):
        start(store).steps(loader())


def test_three_tabs_are_three_runs_at_once(store):
    runs = []
    for name in ("cats", "dogs", "birds"):
        model, optimizer = model_and_optimizer()
        run = bp.start(name, store=store, goal_steps=40, seed=5, sync_every_s=0.05).attach(
            model=model, optimizer=optimizer
        )
        train(run, model, optimizer, stop_at=5)
        runs.append(run)
    for run in runs:
        assert run.finish()
    opened = open_store(store)
    assert len(opened.list_folders("runs/")) == 3


def test_a_full_disk_becomes_a_state_and_training_goes_on(store, monkeypatch, capsys):
    model, optimizer = model_and_optimizer()
    run = start(store, save_every_s=0.0).attach(model=model, optimizer=optimizer)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("batonpass.core.training.commit.write_safetensors", full)
    assert len(train(run, model, optimizer)) == 40
    assert run._saver.wait(10)
    assert "No space left" in str(run.status())
    assert "training goes on" in capsys.readouterr().out
    monkeypatch.undo()
    run.finish()


def test_an_error_in_a_with_block_is_the_sessions_end(store):
    model, optimizer = model_and_optimizer()

    def train_and_fail():
        with start(store) as run:
            run.attach(model=model, optimizer=optimizer)
            train(run, model, optimizer, stop_at=3)
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        train_and_fail()
    (seen,) = sessions(store)
    assert seen.session.end.kind is EndKind.FAILED
    assert "ZeroDivisionError" in seen.session.end.detail


def test_the_second_tab_on_one_run_is_told_who_holds_it(store, tmp_path):
    import subprocess
    import sys

    model, optimizer = model_and_optimizer()
    run = start(store, account="school").attach(model=model, optimizer=optimizer)
    code = f"import batonpass as bp; bp.start('cats', store={store!r}, goal_steps=40)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert HeldElsewhereError.__name__ in other.stderr
    assert "school" in other.stderr
    assert f"takeover={run.joined.session!r}" in other.stderr
    run.finish()


def test_finish_in_the_middle_of_an_accumulated_step_keeps_the_last_whole_one(store, monkeypatch, tmp_path):
    model, optimizer = model_and_optimizer()
    run = start(store, save_every_s=1e9).attach(model=model, optimizer=optimizer)
    for number, (batch,) in enumerate(run.steps(loader(), accumulate=4), start=1):
        model(batch).square().mean().backward()
        assert run.completes_step is (number % 4 == 0)
        if run.completes_step:
            optimizer.step()
            optimizer.zero_grad()
        if number == 8:
            run.save()
        if number == 11:
            break
    run.finish()
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    assert run.step == 2
    run.finish()


def test_a_save_outside_the_loop_never_waits_for_a_busy_writer(store, monkeypatch):
    import threading

    go_on = threading.Event()
    model, optimizer = model_and_optimizer()
    run = start(store, save_every_s=1e9).attach(model=model, optimizer=optimizer)
    assert run._saver.wait(20)
    real = run._saver._commit
    monkeypatch.setattr(run._saver, "_commit", lambda *work: (go_on.wait(20), real(*work)))
    for (batch,) in run.steps(loader()):
        model(batch).sum().backward()
        optimizer.step()
        if run.step == 1:
            run.save()
        if run.step == 3:
            run.save()
        if run.step == 5:
            break
    run._loop.settle()
    assert run.save() is False
    go_on.set()
    assert run.finish()
    assert sessions(store)[0].session.checkpoints[-1].step == 5


def test_a_cap_on_the_link_that_a_folder_cannot_keep_is_said_once(tmp_path, capsys):
    """The bytes of a mounted folder go out through another program."""
    model, optimizer = model_and_optimizer()
    run = start(str(tmp_path / "drive"), max_upload_mbit_s=8).attach(model=model, optimizer=optimizer)
    assert run.finish()
    assert capsys.readouterr().out.count("the cap on the link does not hold there") == 1
    with pytest.raises(UsageError, match="megabits"):
        start(str(tmp_path / "drive"), max_upload_mbit_s=0)


def test_it_says_how_often_it_saves_and_why(store):
    """What is tuned is visible, in the session's file as well."""
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    assert "every 30 s: a save costs next to nothing" in run.status().saves
    assert "every 30 s" in str(run.status())
    assert run.facts()["save_every_s"] == 30.0
    run.finish()


def test_the_known_end_of_a_machine_is_saved_for(store, monkeypatch):
    """Two minutes before twelve hours on Colab, whatever the interval."""
    from batonpass import cadence as module

    monkeypatch.setattr(module, "machine_age_s", lambda: 12 * 3600.0 - 120.5)
    monkeypatch.setattr(module, "provider_of", lambda _: PROVIDERS["colab"])
    model, optimizer = model_and_optimizer()
    run = bp.start("cats", store=store, goal_steps=10**9, save_every_s=1e9).attach(model=model, optimizer=optimizer)
    deadline = time.monotonic() + 20.0
    for (batch,) in run.steps(loader()):
        model(batch).square().mean().backward()
        optimizer.step()
        if run._saver.committed.step > 0 or time.monotonic() > deadline:
            break
    assert run._saver.committed.step > 0
    assert not run._saver.due, "once is enough"
    run.finish()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority per thread")
def test_our_writing_and_sending_leave_the_processors_to_the_training(store):
    """The heartbeat does not: a run must not look dead on a busy machine."""
    model, optimizer = model_and_optimizer()
    run = start(store).attach(model=model, optimizer=optimizer)
    nice = {t.name: os.getpriority(os.PRIO_PROCESS, t.native_id) for t in threading.enumerate()}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice["MainThread"] == nice["batonpass-beat"] == own
    assert nice["batonpass-writer"] == nice["batonpass-blobs"] == min(own + 10, 19)
    run.finish()
