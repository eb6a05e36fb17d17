"""A restore that was cut off or killed goes on where it stopped, and what it makes is whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from filelock import FileLock
from legs import Leg

from batonpass.core.errors import CorruptCheckpointError, StoreFullError, StoreUnreachableError, UsageError
from batonpass.sync import bringing, restore
from batonpass.sync.reading import read_manifest, read_run
from batonpass.sync.restore import RestoreProgress, fetch_checkpoint

SIZE = 12 << 20

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from batonpass.sync.bringing import bring_back
    from batonpass.sync.reading import find_run_folder, read_run
    from batonpass.sync.restore import RestoreProgress
    from batonpass.sync.stores import open_store

    def tell(_file, done, total):
        if done > 0.6 * total:
            os.kill(os.getpid(), signal.SIGKILL)

    store = open_store("gdrive://batonpass")
    run = read_run(store, find_run_folder(store, "cats"))
    bring_back(store, run, Path(sys.argv[1]), progress=RestoreProgress(tell))
"""


@pytest.fixture
def published(open_drive, tmp_path):
    """A store with one checkpoint of 12 MiB; the run's folder, the listing, and its bytes."""
    store = open_drive()
    body = os.urandom(SIZE)
    leg = Leg(store, tmp_path.parent / f"{tmp_path.name}-home")
    leg.train(5)
    leg.save(body)
    run = read_run(store, leg.joined.folder)
    leg.die()
    return store, run, run.sessions[0].session.checkpoints[-1], body


def test_after_a_kill_only_the_rest_is_sent(published, drive_settings, emulator, tmp_path):
    _, _, _, body = published
    environment = {
        **os.environ,
        "BATONPASS_DRIVE_TOKEN": drive_settings.drive_token,
        "BATONPASS_DRIVE_ENDPOINT": drive_settings.drive_endpoint,
    }
    emulator.control("settings", link_bytes_per_s=100 << 20)  # so that the sending side does not run far ahead
    emulator.control("reset_log")
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "back")],
        env=environment,
        check=False,
        timeout=120,
    )
    assert child.returncode == -signal.SIGKILL
    partial = next((tmp_path / "back").rglob("model.safetensors"))
    there = partial.stat().st_size
    assert 0.5 * SIZE < there < SIZE, "it died in the window"
    done = subprocess.run(
        [sys.executable, "-m", "batonpass", "restore", "cats", "--store", "gdrive://batonpass", "--to", str(tmp_path / "back")],
        env=environment, check=False, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == body
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == ["manifest.json", "model.safetensors"]


def test_what_is_there_is_not_sent_again(published, emulator, tmp_path):
    store, run, listing, body = published
    stop = RestoreProgress(lambda _file, done, _total: _raise() if done > SIZE // 2 else None)
    with pytest.raises(StoreUnreachableError):
        fetch_checkpoint(store, run.folder, listing, tmp_path, progress=stop)
    there = next(tmp_path.rglob("model.safetensors")).stat().st_size
    assert there > SIZE // 2
    seen = []
    folder, _ = fetch_checkpoint(
        store, run.folder, listing, tmp_path, progress=RestoreProgress(lambda _f, done, _t: seen.append(done))
    )
    assert seen[0] > there
    assert (folder / "model.safetensors").read_bytes() == body
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".") and p.suffix != ".lock"] == []


def _raise():
    raise StoreUnreachableError("the connection is gone")


@pytest.mark.parametrize("spoil", ["first byte", "longer", "zeros"])
def test_a_part_that_is_not_the_files_beginning_is_noticed_and_begun_anew(published, tmp_path, spoil):
    store, run, listing, body = published
    stop = RestoreProgress(lambda _file, done, _total: _raise() if done > SIZE // 2 else None)
    with pytest.raises(StoreUnreachableError):
        fetch_checkpoint(store, run.folder, listing, tmp_path, progress=stop)
    part = next(tmp_path.rglob("model.safetensors"))
    content = bytearray(part.read_bytes())
    if spoil == "first byte":
        content[0] ^= 1
    part.write_bytes({"first byte": bytes(content), "longer": body + b"x", "zeros": bytes(len(content))}[spoil])
    folder, _ = fetch_checkpoint(store, run.folder, listing, tmp_path)
    assert (folder / "model.safetensors").read_bytes() == body


def test_what_was_brought_whole_and_not_moved_yet_is_not_sent_again(published, emulator, tmp_path, monkeypatch):
    """It died after the last byte and before the files had their place."""
    store, run, _, body = published
    real = bringing.durable_rename

    def die(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(bringing, "durable_rename", die)
    with pytest.raises(KeyboardInterrupt):
        bringing.bring_back(store, run, tmp_path / "back")
    monkeypatch.setattr(bringing, "durable_rename", real)
    emulator.control("reset_log")
    bringing.bring_back(store, run, tmp_path / "back")
    assert emulator.log()["bytes_out"] < 100_000
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == body
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == ["manifest.json", "model.safetensors"]


def test_a_move_that_was_cut_off_between_two_files_is_finished(published, emulator, tmp_path, monkeypatch):
    """One file has its place, the manifest has not: the next call neither refuses nor sends it again."""
    store, run, _, body = published
    real, moved = bringing.durable_rename, []

    def die_at_the_second(source, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        real(source, target)

    monkeypatch.setattr(bringing, "durable_rename", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        bringing.bring_back(store, run, tmp_path / "back")
    monkeypatch.setattr(bringing, "durable_rename", real)
    assert (tmp_path / "back" / "model.safetensors").exists()
    emulator.control("reset_log")
    bringing.bring_back(store, run, tmp_path / "back")
    assert emulator.log()["bytes_out"] < 100_000
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == ["manifest.json", "model.safetensors"]
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == body


def test_a_file_of_the_users_is_never_taken_for_ours(published, tmp_path):
    store, run, _, _ = published
    (tmp_path / "back" / ".batonpass-arriving").mkdir(parents=True)
    (tmp_path / "back" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        bringing.bring_back(store, run, tmp_path / "back")


def test_a_full_disk_is_not_called_an_unreachable_drive(published, tmp_path):
    store, run, listing, _ = published

    class Full:
        def write(self, _data):
            raise OSError(errno.ENOSPC, "No space left on device")

    (entry,) = read_manifest(store, listing.key, store_id=listing.id).files
    with pytest.raises(OSError, match="No space left") as caught:
        store.fetch(f"{run.folder}files/{entry.pool}", Full(), store_id=entry.id)
    assert type(caught.value) is OSError


def test_a_damaged_checkpoint_leaves_no_part_behind(published, emulator, tmp_path):
    store, run, listing, _ = published
    (file,) = [f for f in emulator.files() if f["size"] == SIZE and f["owner"] in emulator_owner(emulator, listing)]
    emulator.control("corrupt", file_id=file["id"], at=SIZE // 3)
    with pytest.raises(CorruptCheckpointError):
        fetch_checkpoint(store, run.folder, listing, tmp_path / "here")
    assert not [p for p in (tmp_path / "here").rglob("*") if p.is_file() and p.suffix != ".lock"]


def emulator_owner(emulator, listing):
    return {f["owner"] for f in emulator.files() if f["id"] == listing.id}


def test_while_another_process_brings_the_same_one_each_has_a_folder_of_its_own(published, tmp_path):
    store, run, listing, body = published
    lock = FileLock(tmp_path / f".arriving-{listing.manifest_sha256[:16]}.lock", is_singleton=False)
    with lock:
        folder, _ = fetch_checkpoint(store, run.folder, listing, tmp_path)
    assert (folder / "model.safetensors").read_bytes() == body


def test_a_disk_without_room_is_said_before_the_first_byte(published, emulator, monkeypatch, tmp_path):
    store, run, listing, _ = published
    monkeypatch.setattr(restore.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": SIZE - 1}))
    emulator.control("reset_log")
    with pytest.raises(StoreFullError, match=r"needs 12\.6 MB"):
        fetch_checkpoint(store, run.folder, listing, tmp_path)
    assert emulator.log()["bytes_out"] < 100_000


def test_what_half_arrived_long_ago_is_swept(published, tmp_path):
    store, run, listing, _ = published
    old = tmp_path / ".arriving-0123456789abcdef"
    old.mkdir()
    os.utime(old, (1e9, 1e9))
    young = tmp_path / ".arriving-fedcba9876543210"
    young.mkdir()
    fetch_checkpoint(store, run.folder, listing, tmp_path)
    assert young.exists()
    assert not old.exists()
