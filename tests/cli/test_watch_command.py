"""`batonpass watch` as a process of its own: killed, stopped, and ended with its trainer."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from watch.trainers import hf_folder, torch_zip

from batonpass.core.errors import BatonpassError
from batonpass.core.settings import Settings
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store


@pytest.fixture
def start_watch(tmp_path):
    processes = []

    def start(*words):
        command = [
            sys.executable,
            "-m",
            "batonpass",
            "watch",
            tmp_path / "output",
            "--run",
            "cats",
            "--store",
            tmp_path / "drive",
        ]
        process = subprocess.Popen(
            [*map(str, command), "--every", "0.05", "--keep", "50", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "BATONPASS_HOME": str(tmp_path / "home"), "BATONPASS_LEASE_S": "0.2"},
        )
        processes.append(process)
        return process

    (tmp_path / "output").mkdir()
    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            process.communicate()


def published(tmp_path):
    """Every listed checkpoint, each restored into an empty folder: (step, {name: bytes})."""
    store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
    try:
        folder = find_run_folder(store, "cats")
        run = read_run(store, folder)
    except BatonpassError:
        return []
    found = []
    for seen in run.sessions:
        for listing in seen.session.checkpoints:
            path, manifest = fetch_checkpoint(store, folder, listing, tmp_path / f"check-{random.random()}")
            found.append((listing.step, {entry.name: (path / entry.name).read_bytes() for entry in manifest.files}))
    return found


def wait_for(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_says_what_is_safe(tmp_path, start_watch, number):
    process = start_watch()
    hf_folder(tmp_path / "output", 100)
    wait_for(lambda: published(tmp_path), "published")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "step 100" in output
    assert "on the store, verified" in output


def test_it_ends_with_the_process_that_it_watches(tmp_path, start_watch):
    trainer = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start_watch("--pid", trainer.pid)
    (tmp_path / "output" / "last.ckpt").write_bytes(torch_zip(1))
    wait_for(lambda: published(tmp_path), "published")
    (tmp_path / "output" / "last.ckpt").write_bytes(torch_zip(2))
    trainer.communicate(b"\n")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "the watched process ended" in output
    assert published(tmp_path)[-1][1] == {"last.ckpt": torch_zip(2)}


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_everything_published_is_whole_and_the_next_watch_goes_on(tmp_path, start_watch, seed):
    """The trainer lives all the while: a dead watcher must not keep the next one out."""
    draw = random.Random(seed)
    written = {}
    step = 0
    for _ in range(2):
        process = start_watch("--pid", os.getpid())
        until = time.monotonic() + draw.uniform(0.8, 2.0)
        while time.monotonic() < until:
            step += 100
            folder = hf_folder(tmp_path / "output", step)
            written[step] = {f"checkpoint-{step}/{p.name}": p.read_bytes() for p in folder.iterdir()}
            time.sleep(draw.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert all(content == written[number] for number, content in published(tmp_path))
    last = start_watch("--pid", os.getpid())
    assert any("watching" in line for line in iter(last.stdout.readline, ""))
    wait_for(lambda: step in dict(published(tmp_path)), "the newest checkpoint is on the store")
    last.send_signal(signal.SIGTERM)
    output, _ = last.communicate(timeout=60)
    assert last.returncode == 0, output
    found = published(tmp_path)
    assert found
    assert all(content == written[number] for number, content in found)


def test_a_folder_that_is_not_there_is_a_wrong_call(tmp_path, batonpass):
    done = batonpass("watch", tmp_path / "none", "--run", "cats", "--store", tmp_path / "drive")
    assert done.returncode == 2
    assert not (tmp_path / "drive").exists()


def test_a_second_watch_of_the_same_run_is_told_who_holds_it(tmp_path, start_watch):
    first = start_watch()
    wait_for(
        lambda: (tmp_path / "drive" / "runs").is_dir() and list((tmp_path / "drive").glob("runs/*/sessions/*")),
        "joined",
    )
    second = start_watch()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 5, output
    assert first.poll() is None
