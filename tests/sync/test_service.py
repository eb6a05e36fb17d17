"""The background service: what is sent when saves come faster than the store takes them."""

import threading

import pytest
from legs import leg

from batonpass.core.errors import StoreFullError, StoreUnreachableError
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "drive" / "batonpass"))


def listed(store, one) -> list[int]:
    return [c.step for c in read_run(store, one.joined.folder).sessions[0].session.checkpoints]


def test_what_is_being_sent_finishes_and_of_what_waits_the_latest_wins(store, tmp_path, monkeypatch):
    sending, go_on = threading.Event(), threading.Event()
    real = FolderStore.put

    def slow(self, key, body, **options):
        if "/files/" in key:
            sending.set()
            assert go_on.wait(20)
        return real(self, key, body, **options)

    monkeypatch.setattr(FolderStore, "put", slow)
    with leg(store, tmp_path / "home") as one:
        one.active.start()
        for _ in range(5):
            one.train(10)
            one.active.enqueue(*one.commit())
            assert sending.wait(20)
        go_on.set()
        assert one.active.service.drain(20)
        assert listed(store, one) == [10, 50]
        assert one.active.service.state()["skipped"] == 3


@pytest.mark.parametrize("error", [StoreFullError, StoreUnreachableError])
def test_a_store_that_refuses_is_shown_with_a_hint_and_caught_up_with_later(store, tmp_path, monkeypatch, error):
    refuse = threading.Event()
    refuse.set()
    real = FolderStore.put

    def put(self, key, body, **options):
        if refuse.is_set() and "/files/" in key:
            raise error("no room", op="put", key=key, hint="make room")
        return real(self, key, body, **options)

    monkeypatch.setattr(FolderStore, "put", put)
    with leg(store, tmp_path / "home") as one:
        one.active.start()
        one.train(10)
        one.active.enqueue(*one.commit())
        assert not one.active.service.drain(0.5)
        lanes = one.active.service.state()
        assert lanes["blobs"]["error"] == "no room"
        assert lanes["blobs"]["hint"] == "make room"
        assert lanes["beat"]["ok"]
        assert one.active.service.publish_now()
        record = read_run(store, one.joined.folder).sessions[0].session
        assert (record.rows, record.sync["blobs"]["error"]) == (10, "no room")
        refuse.clear()
        assert one.active.service.drain(20)
        assert listed(store, one) == [10]
        assert sum("no room" in line for line in one.said) == 1
        assert any("works again" in line for line in one.said)


def test_a_heartbeat_does_not_wait_for_a_large_upload(store, tmp_path, monkeypatch):
    sending, go_on = threading.Event(), threading.Event()
    real = FolderStore.put

    def slow(self, key, body, **options):
        if "/files/" in key:
            sending.set()
            assert go_on.wait(20)
        return real(self, key, body, **options)

    monkeypatch.setattr(FolderStore, "put", slow)
    with leg(store, tmp_path / "home") as one:
        one.active.start()
        one.train(10)
        one.active.enqueue(*one.commit())
        assert sending.wait(20)
        before = read_run(store, one.joined.folder).sessions[0].session.beat
        deadline = threading.Event()
        for _ in range(200):
            one.train(1)
            if read_run(store, one.joined.folder).sessions[0].session.beat > before + 2:
                break
            deadline.wait(0.05)
        assert read_run(store, one.joined.folder).sessions[0].session.beat > before + 2
        go_on.set()
        assert one.active.service.drain(20)
