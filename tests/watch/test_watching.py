"""Any trainer's checkpoints reach the store byte for byte, never torn, and come back as the files they were."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from watch.trainers import hf_folder, safetensors, torch_zip

from batonpass.core.errors import HeldElsewhereError, StoreUnreachableError, UsageError
from batonpass.core.model import EndKind
from batonpass.core.settings import Settings
from batonpass.sync.bringing import bring_back
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.settled import candidate_of, find_candidates
from batonpass.sync.snapshots import NotTakenError, take_snapshot
from batonpass.sync.stores import open_store


def restored(tmp_path, step=None, name="cats"):
    store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
    to = tmp_path / f"back-{step}-{random.random()}"
    brought = bring_back(store, read_run(store, find_run_folder(store, name)), to, step=step)
    return {
        p.relative_to(to).as_posix(): p.read_bytes() for p in to.rglob("*") if p.is_file() and p.name != "manifest.json"
    }, brought


def test_a_trainers_folder_comes_back_byte_for_byte_with_its_step(tmp_path, output, watch, look):
    folder = hf_folder(output, 500)
    look(watch())
    found, brought = restored(tmp_path)
    assert found == {f"checkpoint-500/{p.name}": p.read_bytes() for p in folder.iterdir()}
    assert brought.manifest.step == 500
    assert brought.manifest.epoch == 5.0
    assert brought.manifest.kind == "watched"
    assert brought.manifest.missing == ()


@pytest.mark.parametrize(
    ("name", "step", "epoch"),
    [
        ("epoch=3-step=500.ckpt", 500, 3.0),
        ("model_epoch_7.pth", 7, 7.0),
        ("my model (best).pt", 1, 0.0),
        ("sub/dir/last.ckpt", 1, 0.0),
    ],
)
def test_a_single_file_keeps_its_own_name_and_says_its_step(tmp_path, output, watch, look, name, step, epoch):
    path = output / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(torch_zip(9))
    look(watch())
    found, brought = restored(tmp_path)
    assert found == {name: torch_zip(9)}
    assert (brought.manifest.step, brought.manifest.epoch) == (step, epoch)
    assert brought.manifest.missing


def test_the_first_look_takes_nothing_because_nothing_has_been_still_yet(output, watch, listed):
    (output / "last.ckpt").write_bytes(torch_zip(1))
    each = watch()
    assert each.poll() == 1
    assert each.active.service.in_use == set()
    (output / "last.ckpt").write_bytes(torch_zip(2))
    assert each.poll() == 1
    assert each.active.service.drain(5)
    assert listed() == []


def test_a_cut_off_file_is_never_taken_until_it_is_whole(tmp_path, output, watch, look, listed):
    whole = safetensors(4)
    (output / "model.safetensors").write_bytes(whole[:-10])
    each = watch()
    look(each)
    assert listed() == []
    assert any("not whole" in line for line in each.said)
    (output / "model.safetensors").write_bytes(whole)
    look(each)
    assert restored(tmp_path)[0] == {"model.safetensors": whole}


def test_a_checkpoint_is_the_output_folder_as_it_stands_the_newest_of_each_kind(tmp_path, output, watch, look, listed):
    for step in (100, 200, 300):
        for path in hf_folder(output, step).iterdir():
            os.utime(path, ns=(step * 10**9, step * 10**9))
    (output / "best.pt").write_bytes(torch_zip(5))
    os.utime(output / "best.pt", ns=(250 * 10**9, 250 * 10**9))
    each = watch()
    look(each)
    assert listed()[-1][0] == 300
    assert len(listed()) == 2
    found, _ = restored(tmp_path)
    assert {name.split("/")[0] for name in found} == {"best.pt", "checkpoint-300"}
    each.close()
    second = watch()
    look(second)
    hf_folder(output, 400)
    look(second)
    found, _ = restored(tmp_path)
    assert {name.split("/")[0] for name in found} == {"best.pt", "checkpoint-400"}, "a new watch carries the rest on"
    assert found["best.pt"] == torch_zip(5)


def test_a_checkpoint_that_the_trainer_rotates_away_is_still_sent(tmp_path, output, watch, look, monkeypatch):
    import shutil

    folder = hf_folder(output, 100)
    before = {f"checkpoint-100/{p.name}": p.read_bytes() for p in folder.iterdir()}
    each = watch()
    send = each.active.mirror.send
    monkeypatch.setattr(each.active.mirror, "send", lambda *a: (shutil.rmtree(folder, ignore_errors=True), send(*a))[1])
    look(each)
    assert not folder.exists()
    assert restored(tmp_path)[0] == before


def test_a_linked_file_that_is_written_over_in_place_is_noticed_and_taken_anew(tmp_path, output, watch, look):
    path = output / "step=5.pt"
    path.write_bytes(torch_zip(1))
    each = watch()
    look(each)
    with path.open("r+b") as file:
        file.write(torch_zip(2))
    look(each)
    assert restored(tmp_path)[0] == {"step=5.pt": torch_zip(2)}


@pytest.mark.parametrize("seed", range(4))
def test_a_file_that_is_written_over_while_it_is_read_is_never_published_torn(tmp_path, seed):
    """Writes land at a random place of the copy; each snapshot that is taken holds one of the written contents, whole."""
    draw = random.Random(seed)
    output, into = tmp_path / "out", tmp_path / "into"
    output.mkdir()
    into.mkdir()
    path = output / "last.safetensors"
    whole = {safetensors(n, 300_000) for n in range(3)}
    refused = 0
    for _attempt in range(12):
        path.write_bytes(draw.choice(sorted(whole)))
        candidate = find_candidates(output)[0]
        overwrite = draw.random() < 0.6

        def write_now(_path, overwrite=overwrite):
            if overwrite:
                path.write_bytes(draw.choice(sorted(whole))[: draw.choice([100, 200_000, None])])

        try:
            snapshot = take_snapshot(candidate, output, into, link=False, read=write_now)
        except NotTakenError:
            refused += 1
        else:
            assert (snapshot.directory / "last.safetensors").read_bytes() in whole
            assert not overwrite
    assert refused > 0


def test_without_the_second_look_at_the_file_a_torn_copy_would_have_passed(tmp_path, monkeypatch):
    """The negative control of the test above: the check that notices is the one that compares the marks again."""
    path = tmp_path / "out" / "last.pt"
    path.parent.mkdir()
    path.write_bytes(b"\x80" + b"a" * 3_000_000)
    (tmp_path / "into").mkdir()
    candidate = candidate_of(path)

    def overwrite(_path):
        path.write_bytes(b"\x80" + b"b" * 3_000_000)

    with pytest.raises(NotTakenError):
        take_snapshot(candidate, path.parent, tmp_path / "into", link=False, read=overwrite)
    monkeypatch.setattr("batonpass.sync.snapshots._check_unchanged", lambda *_: None)
    take_snapshot(candidate, path.parent, tmp_path / "into", link=False, read=overwrite)


def test_a_new_watch_sends_nothing_again_and_continues_from_the_last_checkpoint(tmp_path, output, watch, look, listed):
    hf_folder(output, 100)
    first = watch()
    look(first)
    first.close()
    second = watch()
    look(second)
    assert [step for step, _ in listed()] == [100]
    assert second.active.joined.writer.record.resumed_from.step == 100
    hf_folder(output, 200)
    look(second)
    assert [step for step, _ in listed()] == [100, 200]


def test_the_run_is_called_alive_only_while_the_watched_process_lives(output, watch):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        each = watch(pid=child.pid)
        assert each.trainer_lives
        assert each._facts()["alive"] is True
    finally:
        child.communicate(b"\n")
    assert not each.trainer_lives
    assert each._facts()["alive"] is False
    import threading

    assert each.run_until(threading.Event()) == "the watched process ended"


def test_a_second_watch_of_a_living_one_is_told_who_holds_the_run(output, watch):
    watch()
    with pytest.raises(HeldElsewhereError):
        watch()


def test_a_process_that_is_not_there_and_a_folder_that_is_not_there_are_wrong_calls(tmp_path, output, watch):
    with pytest.raises(UsageError):
        watch(pid=2**22 - 3)
    output.rmdir()
    with pytest.raises(UsageError):
        watch()
    assert not (tmp_path / "drive").exists()


def test_a_run_that_start_trains_is_not_watched(tmp_path, watch):
    from published import publish

    publish(tmp_path / "drive", tmp_path / "home", "cats")
    with pytest.raises(UsageError, match="trained through"):
        watch()


def test_links_hidden_files_and_lone_shards_are_passed_over(output):
    (output / ".tmp.pt").write_bytes(torch_zip(1))
    (output / "model-00001-of-00002.safetensors").write_bytes(safetensors(1))
    (output / "notes.txt").write_text("x")
    (output / "link.pt").symlink_to("/etc/passwd")
    assert find_candidates(output) == []


def test_closing_takes_what_is_whole_and_ends_the_session(tmp_path, output, watch):
    each = watch()
    (output / "last.ckpt").write_bytes(torch_zip(8))
    assert each.close()
    found, brought = restored(tmp_path)
    assert found == {"last.ckpt": torch_zip(8)}
    store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
    run = read_run(store, find_run_folder(store, "cats"))
    assert run.head.holder is None
    assert run.session(brought.manifest.session).session.end.kind is EndKind.CLOSED


def test_a_store_that_fails_while_a_watch_begins_does_not_lock_the_next_one_out(
    output, watch, look, listed, monkeypatch
):
    hf_folder(output, 100)
    look(first := watch())
    first.close()

    def fail(*_):
        raise StoreUnreachableError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr("batonpass.sync.watching.continue_from_before", fail)
        with pytest.raises(StoreUnreachableError):
            watch()
    second = watch()
    hf_folder(output, 200)
    look(second)
    assert [step for step, _ in listed()] == [100, 200]
