"""The service keeps one kind of trouble from becoming another."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from published import joined_session, write_checkpoint

from batonpass.core.errors import StoreError, StoreUnreachableError
from batonpass.core.model import EndKind
from batonpass.core.settings import Settings
from batonpass.sync.reading import read_run
from batonpass.sync.session import SessionWriter
from batonpass.sync.stores import open_store


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "drive", tmp_path / "home"


def enqueue(active, step):
    joined = active.joined
    files = {"model.safetensors": bytes([step % 251]) * 3000}
    made = write_checkpoint(joined.local.checkpoints, joined.info.run_id, joined.session, step, files, rows=step)
    active.enqueue(*made)


def test_an_old_checkpoint_that_cannot_be_removed_does_not_make_the_new_one_unsafe(places, monkeypatch):
    with joined_session(*places, "cats") as (active, _):

        def refuse():
            raise StoreError("deletion is not allowed", hint="ask the owner")

        monkeypatch.setattr(active._pruner, "prune", refuse)
        active._pruned_at = -1e9
        enqueue(active, 10)
        assert active.service.drain(20)
        assert active.status().lanes["tidying"]["error"] == "deletion is not allowed"
        assert active.status().lanes["blobs"]["ok"]
        assert active.service.durable.step == 10
        monkeypatch.undo()
        assert active.close(EndKind.CLOSED)


def test_stopping_in_the_middle_of_an_upload_is_no_failure(places, monkeypatch):
    with joined_session(*places, "cats") as (active, _):
        said = []
        active.service.blobs.say = said.append
        send = active.mirror._store.put

        def put(key, body, **options):
            if "/files/" in key:
                active.service._stopping.set()
            return send(key, body, **options)

        monkeypatch.setattr(active.mirror._store, "put", put)
        enqueue(active, 10)
        assert not active.service.drain(3)
        assert active.service.blobs.ok
        assert said == []
        monkeypatch.undo()
        active.joined.close()


def test_what_a_closed_session_of_this_very_kernel_left_is_shipped_by_the_next_start(places):
    root, home = places
    with joined_session(root, home, "cats") as (active, _):
        first = active.joined
        made = write_checkpoint(
            first.local.checkpoints, first.info.run_id, first.session, 30, {"model.safetensors": b"w" * 100}, rows=30
        )
        assert made[0].is_dir()
        assert active.close(EndKind.CLOSED)
    with joined_session(root, home, "cats") as (active, _):
        store = open_store(str(root), Settings(home=home))
        record = read_run(store, first.folder).session(first.session).session
        assert [c.step for c in record.checkpoints] == [30]
        assert record.end.kind is EndKind.CLOSED
        assert active.close(EndKind.CLOSED)


def test_what_could_not_be_shipped_yet_stays_on_this_disk_when_a_newer_session_is_safe(places, monkeypatch):
    root, home = places
    with joined_session(root, home, "cats") as (active, _):
        first = active.joined
        first.log.log(1, 0.0, {"loss": 1.0})
        first.log.flush(10)
        active.service.stop()
        first.close()  # it died: the row is on this disk only

    def refuse(*_args, **_kwargs):
        raise StoreError("the quota is used up")

    monkeypatch.setattr("batonpass.sync.leftovers._ship", refuse)
    with joined_session(root, home, "cats", takeover=True) as (active, _):
        enqueue(active, 30)
        assert active.service.drain(20)
        assert first.local.metrics.exists()
        assert active.close(EndKind.CLOSED)
    monkeypatch.undo()
    with joined_session(root, home, "cats") as (active, _):
        store = open_store(str(root), Settings(home=home))
        assert read_run(store, first.folder).session(first.session).session.rows == 1
        enqueue(active, 40)
        assert active.service.drain(20)
        assert not first.local.path.exists()
        assert active.close(EndKind.CLOSED)


def test_a_start_that_left_nothing_behind_is_not_spoken_of_again(places):
    root, home = places
    with joined_session(root, home, "cats") as (active, _):
        first = active.joined
        first.store.delete(first.writer.key)
        active.service.stop()
        first.close()
    with joined_session(root, home, "cats", takeover=True) as (active, _):
        assert not first.local.path.exists()
        assert active.close(EndKind.CLOSED)


def test_a_clock_that_was_set_back_does_not_silence_the_heartbeat(places):
    with joined_session(*places, "cats") as (active, state):
        hour_ahead = datetime.now(UTC) + timedelta(hours=1)  # what the scheduler sees after the clock went back an hour
        for lane in ("beat", "blobs"):
            active.service._scheduler.modify_job(lane, next_run_time=hour_ahead)
        deadline = time.monotonic() + 20
        while not (published := active.joined.writer.record.step == 7) and time.monotonic() < deadline:
            state["step"] = 7
            time.sleep(0.02)
        assert published
        assert active.close(EndKind.CLOSED)


def test_a_start_whose_last_answer_was_lost_does_not_lock_its_own_kernel_out(places, monkeypatch):
    root, home = places
    real = SessionWriter.publish

    def no_answer(self):
        raise StoreUnreachableError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(SessionWriter, "publish", no_answer)
        with pytest.raises(StoreUnreachableError), joined_session(root, home, "cats"):
            pass
    assert SessionWriter.publish is real
    with joined_session(root, home, "cats") as (active, _):
        assert active.joined.head.term == 2
        assert active.close(EndKind.CLOSED)


def test_a_start_that_is_interrupted_right_after_it_took_the_run_locks_nobody_out(places, monkeypatch):
    root, home = places

    def stop_button(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SessionWriter, "publish", stop_button)
        with pytest.raises(KeyboardInterrupt), joined_session(root, home, "cats"):
            pass
    with joined_session(root, home, "cats") as (active, _):
        run = read_run(active.joined.store, active.joined.folder)
        assert run.broken == ()
        assert active.close(EndKind.CLOSED)


def test_an_error_text_that_is_no_valid_unicode_does_not_keep_the_end_from_the_store(places):
    with joined_session(*places, "cats") as (active, _):
        assert active.close(EndKind.FAILED, detail="ValueError: caf\udce9")
        run = read_run(active.joined.store, active.joined.folder)
        assert run.sessions[0].session.end.detail == "ValueError: caf?"
