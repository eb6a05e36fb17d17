"""What happens between two lines: the stop button while a heartbeat looks, a refused listing at the end, two threads that stop at once."""

from __future__ import annotations

import threading

import pytest
from legs import Leg

from batonpass.core.errors import StoreThrottledError, StoreUnreachableError
from batonpass.core.model import EndKind
from batonpass.sync import active, crew
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def one(tmp_path):
    leg = Leg(open_store(str(tmp_path / "drive")), tmp_path / "home")
    yield leg
    leg.die()


def test_a_look_while_the_stop_button_lets_go_makes_no_branch(one, monkeypatch):
    """The release is on the store and its answer is not back yet: a tick sees that nobody holds the run."""
    real = active.release

    def release_then_tick(*args):
        real(*args)
        one.active._fence()

    monkeypatch.setattr(active, "release", release_then_tick)
    one.active.pause(EndKind.STOPPED)
    assert one.joined.writer.record.branch is None
    one.active.retake()
    one.active._fence()
    assert one.joined.writer.record.branch is None
    assert one.joined.writer.record.end is None


def test_a_session_whose_end_is_on_the_store_is_safe_although_a_listing_was_refused(one, monkeypatch):
    def refuse(*_args):
        raise StoreThrottledError("slower")

    monkeypatch.setattr("batonpass.sync.lookout.other_runs", refuse)
    one.active.lookout.began_at -= 1e6
    assert one.active.close(EndKind.CLOSED)
    assert read_run(one.joined.store, one.joined.folder).sessions[0].session.end is not None


def test_a_look_that_was_refused_is_made_again(one, monkeypatch):
    asked = []

    def refuse(*_args):
        asked.append(1)
        raise StoreThrottledError("slower")

    monkeypatch.setattr("batonpass.sync.lookout.other_runs", refuse)
    one.active.lookout.began_at -= 70.0
    for _ in range(3):
        assert one.active.service.publish_now(), "the heartbeat got through"
    assert len(asked) == 3


def test_the_service_may_be_stopped_by_two_threads_at_once(one):
    for _ in range(20):
        one.active.service._stopping.clear()
        one.active.service.start()
        errors: list[BaseException] = []
        barrier = threading.Barrier(2)

        def stop(barrier=barrier, errors=errors):
            barrier.wait()
            try:
                one.active.service.stop()
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        threads = [threading.Thread(target=stop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert errors == []


def test_a_server_that_takes_bytes_and_keeps_none_does_not_hold_up_the_newer_checkpoint(one, monkeypatch):
    """It reads the whole body of the first checkpoint, every time, and answers "later"."""
    real = FolderStore.put
    tried: list[str] = []

    def swallow(self, key, body, **options):
        if "/files/10-" in key:
            tried.append(key)
            options["transfer"].on_progress(1000, 1000)
            raise StoreUnreachableError("later")
        return real(self, key, body, **options)

    monkeypatch.setattr(FolderStore, "put", swallow)
    one.train(10)
    service = one.active.service
    service.enqueue(*one.commit())
    service._send()
    one.train(10)
    service.enqueue(*one.commit())
    for _ in range(10):
        service.blobs.hurry()
        service._send()
    assert service.durable is not None
    assert service.durable.step == 20
    assert len(tried) <= 4


def test_a_checkpoint_whose_files_are_gone_is_let_go_and_not_called_safe(one, monkeypatch):
    import shutil

    one.train(10)
    folder, manifest = one.commit()
    one.active.service.enqueue(folder, manifest)
    shutil.rmtree(folder)
    threading.Timer(0.1, one.active.service._send).start()
    assert not one.active.service.drain(20)
    assert one.active.service.in_use == set()


def test_where_no_thread_can_be_started_any_more_the_calling_one_does_all(monkeypatch):
    def refuse(_self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert crew.Crew(3).each(lambda n: n + 1, [1, 2, 3]) == [2, 3, 4]
