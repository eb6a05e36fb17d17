"""Sessions follow each other on a Drive, through the same doors as on a folder."""

from __future__ import annotations

import hashlib
import os

import pytest
from legs import host, leg

from batonpass.core.errors import HeldElsewhereError
from batonpass.sync.reading import read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

pytestmark = pytest.mark.usefixtures("temper")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def open_retried(open_drive):
    """A client of its own, tried again without waiting."""
    return lambda: RetryStore(open_drive(), wait=lambda _seconds: False, backoff=Backoff(limit_s=1e9))


def test_a_checkpoint_on_a_drive_is_proven_and_restores_elsewhere(open_retried, home, tmp_path):
    """Drive's own checksum makes it durable; another client brings back equal bytes."""
    body = os.urandom(6 << 20)
    with leg(open_retried(), home, goal_steps=100) as first:
        first.train(10)
        first.save(body)
        run = read_run(open_retried(), first.joined.folder)
        (listing,) = run.sessions[0].session.checkpoints
        assert listing.proven
        assert listing.id
        folder, manifest = fetch_checkpoint(open_retried(), run.folder, listing, tmp_path / "empty")
        assert (folder / "model.safetensors").read_bytes() == body
        assert manifest.step == 10
        assert manifest.files[0].md5 == hashlib.md5(body).hexdigest(), "Drive may answer with nothing else one day"


def test_the_next_machine_takes_over_and_a_second_one_is_refused(open_retried, home, tmp_path):
    """The handover is a real compare-and-swap; who lives keeps the run."""
    with leg(open_retried(), home) as first:
        first.train(5)
        first.save()
        with pytest.raises(HeldElsewhereError):
            leg(open_retried(), home).__enter__()
    with leg(open_retried(), tmp_path / "home-2", on=host("machine-2"), lease_s=30.0) as second:
        run = read_run(open_retried(), second.joined.folder)
        assert (run.head.holder, run.head.term) == (second.joined.session, 2)
        assert set(run.head.session_ids) == set(run.head.sessions)


def test_a_run_survives_faults_at_every_fifth_call(open_retried, home, emulator, tmp_path):
    """A whole leg while Drive misbehaves: nothing twice, everything listed restores."""
    calls = "files.*|media.get|upload.*"
    for fault in (
        {"kind": "answer", "status": 503},
        {"kind": "lost", "status": 0},
        {"kind": "lost"},
        {"kind": "reset"},
    ):
        emulator.fault(op=calls, times=0, chance=0.05, **fault)
    with leg(open_retried(), home) as first:
        for _ in range(4):
            first.train(5)
            first.save()
        emulator.control("clear_faults")
        run = read_run(open_retried(), first.joined.folder)
        assert not run.broken
        listings = run.sessions[0].session.checkpoints
        assert [c.step for c in listings] == [5, 10, 15, 20]
        for listing in listings:
            fetch_checkpoint(open_retried(), run.folder, listing, tmp_path / "empty")


def test_a_drive_and_a_folder_hold_the_identical_layout(open_retried, home, tmp_path):
    """Copied object by object into a folder, the run reads the same there."""
    drive = open_retried()
    with leg(drive, home) as first:
        first.train(5)
        first.save()
        folder = open_store(str(tmp_path / "copy"))
        for info in drive.list_objects(""):
            folder.put(info.key, drive.get(info.key, store_id=info.id))
        here, there = (read_run(store, first.joined.folder) for store in (folder, drive))
        assert here.info == there.info
        assert here.head == there.head
        assert [s.session for s in here.sessions] == [s.session for s in there.sessions]
        (listing,) = here.sessions[0].session.checkpoints
        fetch_checkpoint(folder, here.folder, listing, tmp_path / "empty")
