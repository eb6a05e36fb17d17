"""What is half sent finishes; of what waits the newest wins; nothing is tried for ever in another's place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from batonpass.core.model import Manifest
from batonpass.sync.outbox import PATIENCE, Outbox, Parcel


def parcel(step: int) -> Parcel:
    return Parcel(Path(f"/{step}"), Manifest("run", "s", 1, step, 0.0, datetime(2026, 1, 1, tzinfo=UTC), ()))


@pytest.fixture
def outbox() -> Outbox:
    box = Outbox()
    box.add(parcel(1))
    box.take()
    return box


def test_the_newest_waiting_one_wins(outbox):
    outbox.add(parcel(2))
    outbox.add(parcel(3))
    outbox.done()
    assert outbox.take() == parcel(3)
    assert outbox.skipped == 1


def test_what_is_half_sent_is_continued_although_a_newer_one_waits(outbox):
    outbox.add(parcel(2))
    outbox.failed(gone=False, keep=True, moved=True)
    assert outbox.names == {"1-s-1", "2-s-1"}
    assert outbox.take() == parcel(1)


def test_what_never_gets_on_makes_way_for_a_newer_one(outbox):
    outbox.add(parcel(2))
    for _ in range(PATIENCE):
        assert outbox.take() == parcel(1)
        outbox.failed(gone=False, keep=True, moved=False)
    assert outbox.take() == parcel(2)
    assert outbox.skipped == 1


def test_getting_on_renews_the_patience(outbox):
    outbox.add(parcel(2))
    for number in range(10 * PATIENCE):
        outbox.failed(gone=False, keep=True, moved=number % PATIENCE == PATIENCE - 1)
        assert outbox.take() == parcel(1)


def test_on_a_full_store_the_newest_is_what_will_be_sent(outbox):
    outbox.add(parcel(2))
    outbox.failed(gone=False, keep=False, moved=False)
    assert outbox.take() == parcel(2)


def test_alone_it_stays_in_line_whatever_happens(outbox):
    for _ in range(3 * PATIENCE):
        outbox.failed(gone=False, keep=False, moved=False)
        assert outbox.take() == parcel(1)


def test_what_is_no_longer_on_this_disk_is_let_go(outbox):
    outbox.failed(gone=True, keep=True, moved=True)
    assert outbox.is_empty
    assert outbox.lost == 1
