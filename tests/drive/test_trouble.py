"""Each class of Drive's errors, met by a real session: the right state and hint within one try, metrics go on, and it recovers by itself."""

from __future__ import annotations

import threading
import time

import pytest
from legs import Leg

from batonpass.core.trouble import POLICIES, Kind
from batonpass.sync.reading import read_run
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

BLOBS = "files.insert|upload.*"
"""What only checkpoints need: the session's own file is updated."""

CLASSES = [
    *[("answer", {"status": status}, Kind.LATER) for status in (500, 502, 503, 504)],
    ("answer", {"status": 502, "html": True}, Kind.LATER),
    ("answer", {"status": 403, "html": True}, Kind.LATER),
    ("reset", {"after_bytes": 10}, Kind.LATER),
    ("stall", {"for_s": 0.1}, Kind.LATER),
    ("answer", {"status": 429, "reason": "rateLimitExceeded"}, Kind.THROTTLED),
    *[
        ("answer", {"status": 403, "reason": reason}, Kind.THROTTLED)
        for reason in ("userRateLimitExceeded", "rateLimitExceeded", "sharingRateLimitExceeded")
    ],
    *[
        ("answer", {"status": 403, "reason": reason}, Kind.FULL)
        for reason in (
            "storageQuotaExceeded",
            "quotaExceeded",
            "dailyLimitExceeded",
            "activeItemCreationLimitExceeded",
            "numChildrenInNonRootLimitExceeded",
            "teamDriveFileLimitExceeded",
        )
    ],
    ("answer", {"status": 401, "reason": "authError"}, Kind.NEEDS_LOGIN),
    ("answer", {"status": 403, "reason": "insufficientPermissions"}, Kind.NEEDS_LOGIN),
    ("answer", {"status": 403, "reason": "appNotAuthorizedToFile"}, Kind.REFUSED),
    ("answer", {"status": 403, "reason": "domainPolicy"}, Kind.REFUSED),
    ("answer", {"status": 404, "reason": "notFound"}, Kind.MISSING),
    ("answer", {"status": 400, "reason": "badRequest"}, Kind.REFUSED),
]


@pytest.fixture
def one(open_drive, tmp_path):
    """A session on Drive whose store gives up at once, so that the lane has to decide."""
    leg = Leg(RetryStore(open_drive(), backoff=Backoff(limit_s=0.0)), tmp_path / "home")
    before = set(threading.enumerate())
    leg.active.start()
    yield leg
    leg.active.service.stop()
    for thread in set(threading.enumerate()) - before:
        if thread.name in (
            "batonpass-beat",
            "batonpass-blobs",
        ):  # a call on its way would open connections to a closed store
            thread.join(60)
    leg.die()


def send(one) -> bool:
    """Wait for the first try to end, however busy this machine is; whether it sent the checkpoint."""
    service = one.active.service
    tries, deadline = service.blobs.attempts, time.monotonic() + 60
    one.train(10)
    one.active.enqueue(*one.commit())
    while service.blobs.attempts == tries:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return service.in_use == set()


@pytest.mark.parametrize(("fault", "fields", "kind"), CLASSES)
def test_each_class_becomes_its_state_and_passes_when_its_cause_does(one, emulator, fault, fields, kind):
    emulator.fault(fault, op=BLOBS, times=0, **fields)
    assert not send(one)
    lane = one.active.service.state()["blobs"]
    assert (lane["kind"], lane["ok"]) == (kind, False)
    assert lane["hint"]
    assert 0 < lane["next_try_s"] <= POLICIES[kind].longest_s
    assert one.active.service.publish_now(), "metrics go on"
    told = read_run(one.joined.store, one.joined.folder).sessions[0].session
    assert (told.rows, told.sync["blobs"]["kind"]) == (10, kind)
    assert told.checkpoints == ()
    emulator.control("clear_faults")
    assert one.active.service.drain(20)
    assert [c.step for c in read_run(one.joined.store, one.joined.folder).sessions[0].session.checkpoints] == [10]
    assert one.active.service.state()["blobs"]["ok"]


def test_an_upload_session_that_is_gone_and_an_id_that_is_taken_need_nobody(one, emulator):
    emulator.fault("gone", op="upload.put", status=404, times=1)
    emulator.fault("lost", op="files.insert", status=503, times=3)
    one.train(1)
    folder, manifest = one.commit(bytes(6 << 20))
    one.active.enqueue(folder, manifest)
    for _ in range(8):
        if one.active.service.drain(5):
            break
    assert one.active.service.durable.step == 1
    assert len(emulator.files(f"1-model-{manifest.files[0].sha256[:8]}.safetensors")) == 1


def test_what_drive_asks_for_as_a_pause_is_kept(one, emulator):
    emulator.fault("answer", op=BLOBS, times=0, status=429, reason="rateLimitExceeded", retry_after_s=321)
    assert not send(one)
    assert 300 < one.active.service.state()["blobs"]["next_try_s"] <= 321


def test_after_a_throttle_one_file_goes_at_a_time(one, emulator):
    emulator.fault("answer", op=BLOBS, times=1, status=403, reason="userRateLimitExceeded")
    send(one)
    assert one.active.mirror._crew.limit == 1


def test_who_owns_the_bytes_is_written_down(one, account):
    assert send(one)
    (listing,) = read_run(one.joined.store, one.joined.folder).sessions[0].session.checkpoints
    assert listing.owner


def test_a_full_drive_is_not_asked_in_a_loop(one, emulator):
    emulator.fault("answer", op=BLOBS, times=0, status=403, reason="storageQuotaExceeded")
    assert not send(one)
    struck = emulator.struck("answer")
    for _ in range(5):
        one.train(10)
        one.active.enqueue(*one.commit())
        one.active.service.wake("blobs")
        assert one.active.service.publish_now()
    assert emulator.struck("answer") == struck
    emulator.control("clear_faults")
    assert one.active.service.drain(20)
    steps = [c.step for c in read_run(one.joined.store, one.joined.folder).sessions[0].session.checkpoints]
    assert steps == [60], "after the wait the newest is what is sent"
