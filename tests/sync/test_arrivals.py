"""A session on a mounted Drive learns from others' receipts that its work has arrived."""

from __future__ import annotations

from dataclasses import replace

import pytest
from legs import FakeTime, leg
from stores.faults import Fault, FaultyStore

from batonpass.core.settings import Settings
from batonpass.status import describe
from batonpass.sync.arrivals import LOOK_EVERY_S, Arrivals
from batonpass.sync.identity import Identity
from batonpass.sync.proving import prove_arrival
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store

LAPTOP = Identity(boot="laptop's boot", install="laptop", home="laptop's home")


@pytest.fixture
def store(tmp_path):
    (tmp_path / "mount" / "MyDrive").mkdir(parents=True)
    settings = Settings(home=tmp_path / "home", mount_points=(tmp_path / "mount",))
    return FaultyStore(open_store(str(tmp_path / "mount" / "MyDrive" / "batonpass"), settings))


@pytest.fixture
def first(store, tmp_path):
    with leg(store, tmp_path / "home") as one:
        one.train(10)
        folder, manifest = one.commit()
        one.active.service._send_one(folder, manifest)
        yield one


def card(one) -> str:
    return str(describe(one.active.status(), name="cats", goal_steps=None, saving="", interval=None))


def test_the_card_says_safe_to_close_once_another_reader_has_seen_it(store, first):
    first.active._look_around()
    assert not first.active.status().durable.proven
    assert "was handed over to the mount" in card(first)
    prove_arrival(store, read_run(store, first.joined.folder), LAPTOP)
    first.active._arrivals._looked_at = float("-inf")  # a minute later
    first.active._look_around()
    assert first.active.status().durable.proven
    assert "yes, step 10" in card(first)
    (seen,) = read_run(store, first.joined.folder).sessions
    assert not seen.session.checkpoints[0].proven, "the session's file goes on telling what the store itself answered"


def test_receipts_are_looked_for_once_a_minute_until_the_newest_is_proven(store, first):
    time = FakeTime()
    arrivals = Arrivals(store, first.joined.folder, clock=time.monotonic)
    record = first.joined.writer.record

    def looks() -> int:
        store.calls.clear()
        arrivals.look(record)
        return store.calls.count("list_objects")

    assert (looks(), looks()) == (1, 0)
    prove_arrival(store, read_run(store, first.joined.folder), LAPTOP)
    assert (looks(), arrivals.known(record.checkpoints[0]).proven) == (0, False)
    time.sleep(LOOK_EVERY_S)
    assert (looks(), arrivals.known(record.checkpoints[0]).proven) == (1, True)
    time.sleep(LOOK_EVERY_S)
    assert looks() == 0


def test_where_the_store_proves_arrival_nothing_is_looked_for(store, first):
    record = first.joined.writer.record
    proven = replace(record, checkpoints=tuple(replace(c, proven=True) for c in record.checkpoints))
    for session in (proven, replace(record, checkpoints=())):
        store.calls.clear()
        Arrivals(store, first.joined.folder).look(session)
        assert store.calls == []


def test_a_store_that_does_not_answer_for_receipts_takes_nothing_back(store, first):
    prove_arrival(store, read_run(store, first.joined.folder), LAPTOP)
    time = FakeTime()
    arrivals = Arrivals(store, first.joined.folder, clock=time.monotonic)
    record = first.joined.writer.record
    arrivals.look(record)
    newer = replace(record.checkpoints[0], key=record.checkpoints[0].key.replace("/10-", "/20-"))
    time.sleep(LOOK_EVERY_S)
    store.script.append(Fault("list_objects"))
    arrivals.look(replace(record, checkpoints=(*record.checkpoints, newer)))
    assert store.script == []
    assert arrivals.known(record.checkpoints[0]).proven
    assert not arrivals.known(newer).proven
