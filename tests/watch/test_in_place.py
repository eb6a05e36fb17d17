"""A trainer that writes `last.pt` and `best.pt` over in place, as Ultralytics does, while they are watched: never a torn copy."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from watch.trainers import torch_zip

from batonpass.core.settings import Settings
from batonpass.sync import snapshots
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.settled import Settling
from batonpass.sync.stores import open_store

EPOCHS, SIZE = 5, 400_000
WRITER = """
import sys, time, itertools
sys.path.insert(0, sys.argv[2])
from watch.trainers import torch_zip
contents = [torch_zip(n, {size}) for n in range({epochs})]
for epoch in itertools.count():
    content = contents[epoch % {epochs}]
    with open(sys.argv[1] + "/results.csv", "a") as log:
        log.write(("epoch, loss\\n" if not epoch else "") + f"{{epoch}}, 0.5\\n")
    for name in ("last.pt",) + ("best.pt",) * (epoch % 2):
        with open(f"{{sys.argv[1]}}/{{name}}", "{mode}" if epoch > 1 else "wb") as file:
            for start in range(0, len(content), 50_000):
                file.write(content[start : start + 50_000])
                file.flush()
                time.sleep({piece})
    print(epoch, flush=True)
    time.sleep({pause})
"""


@pytest.fixture
def writing(output):
    """A process that writes on and on, resting `pause` seconds between two epochs and `piece` between two pieces of a file; with "r+b" the size stays."""
    processes = []

    def start(pause, piece, mode="wb"):
        code = WRITER.format(size=SIZE, epochs=EPOCHS, pause=pause, piece=piece, mode=mode)
        words = [sys.executable, "-c", code, str(output), str(Path(__file__).parent.parent)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "0\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def published(tmp_path):
    """The content of every file of every checkpoint on the store."""
    store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
    folder = find_run_folder(store, "cats")
    found = []
    for session in read_run(store, folder).sessions:
        for number, listing in enumerate(session.session.checkpoints):
            path, manifest = fetch_checkpoint(
                store, folder, listing, tmp_path / f"check-{time.monotonic_ns()}-{number}"
            )
            found += [(path / entry.name).read_bytes() for entry in manifest.files]
    return found


def watch_until(each, condition, seconds=150):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, each.said
        each.poll()
        time.sleep(0.005)


@pytest.mark.parametrize("mode", ["wb", "r+b"])
def test_whatever_is_published_while_the_files_are_written_over_is_whole(tmp_path, output, watch, writing, mode):
    writing(0.4, 0.001, mode)
    each = watch()
    watch_until(each, lambda: len(each.active.joined.writer.record.checkpoints) >= 4)
    each.close()
    whole = {torch_zip(n, SIZE) for n in range(EPOCHS)}
    found = published(tmp_path)
    assert len(found) >= 4
    assert all(content in whole for content in found)


def test_without_settling_and_checking_a_torn_copy_is_published(tmp_path, output, watch, writing, monkeypatch):
    """The negative control: the same writer, and each of the guards taken away."""
    monkeypatch.setattr(Settling, "look", lambda _self, candidates: candidates)
    monkeypatch.setattr(snapshots, "_check_unchanged", lambda *_: None)
    monkeypatch.setattr(snapshots, "why_not_whole", lambda _path: "")
    writer = writing(0.0, 0.02, "r+b")
    each = watch()
    watch_until(each, lambda: len(each.active.joined.writer.record.checkpoints) >= 5)
    writer.kill()
    each.close()
    whole = {torch_zip(n, SIZE) for n in range(EPOCHS)}
    assert any(content not in whole for content in published(tmp_path))
