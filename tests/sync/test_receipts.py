"""What was handed over to a mounted Drive is proven by another reader, never by the machine that wrote it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from legs import Leg, host, leg
from stores.faults import Fault, FaultyStore

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.errors import ConflictError, StoreUnreachableError
from batonpass.core.lineage import newest_durable
from batonpass.core.model import EndKind, Method, Receipt, ReceiptEntry, ResumeRecord
from batonpass.core.settings import Settings
from batonpass.core.states import Word, run_state
from batonpass.sync import identity
from batonpass.sync.copying import copy_root
from batonpass.sync.identity import Identity, this_machine
from batonpass.sync.mounts import find_mount
from batonpass.sync.proving import Outcome, prove_arrival
from batonpass.sync.pruning import Keep, Pruner
from batonpass.sync.reading import read_manifest, read_run
from batonpass.sync.receipts import add_to_receipt, read_receipts
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore

LAPTOP = Identity(boot="laptop's boot", install="laptop", home="laptop's home")
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Watched(FolderStore):
    """A store on a mount that counts what is read from its pool."""

    read: list[str]

    def fetch(self, key, to, **kwargs):
        self.read.append(key)
        return super().fetch(key, to, **kwargs)


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    point = tmp_path / "mount"
    (point / "MyDrive").mkdir(parents=True)
    root = point / "MyDrive" / "batonpass"
    made = Watched(root, mount=find_mount(root, (point,)), lock_file=tmp_path / "store.lock")
    made.read = []
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def first(store, home):
    """A session on a mount that handed over two checkpoints."""
    with leg(store, home) as one:
        one.train(10)
        one.save()
        one.train(10)
        one.save()
        yield one


def run_of(one: Leg):
    return read_run(one.joined.store, one.joined.folder)


def pool(store: FolderStore, run, step: int) -> Path:
    (path,) = (store.root / run.folder / "files").glob(f"{step}-*")
    return path


def outcomes(report) -> list[tuple[int, Outcome]]:
    return [(proof.step, proof.outcome) for proof in report.proofs]


def test_another_machine_reads_every_byte_and_its_receipt_makes_the_checkpoints_durable(store, first):
    before = run_of(first)
    assert before.arrived == frozenset()
    assert newest_durable(before.sessions[0].session) is None
    report = prove_arrival(store, before, LAPTOP)
    assert outcomes(report) == [(20, Outcome.PROVEN), (10, Outcome.PROVEN)]
    assert report.read_bytes == sum(len(f"weights of step {s}") for s in (10, 20))
    run = run_of(first)
    assert run.arrived == {c.key for c in run.sessions[0].session.checkpoints}
    assert newest_durable(run.sessions[0].session, arrived=run.arrived).step == 20
    (receipt,) = run.receipts
    assert receipt.reader == report.reader
    assert {entry.method for entry in receipt.entries} == {"read"}
    text = store.get(naming.receipt_file(run.folder, receipt.reader)).decode()
    assert not any(secret in text for secret in ("laptop", LAPTOP.boot, LAPTOP.home))


def test_a_machine_of_the_run_may_not_prove_what_it_wrote_itself(store, first, home, tmp_path):
    """Nor may it under another home folder, or after a reboot: its cache would answer."""
    here = this_machine(home)
    for me in (here, this_machine(tmp_path / "other-home"), replace(here, boot="after a reboot")):
        report = prove_arrival(store, run_of(first), me)
        assert outcomes(report) == [(20, Outcome.REFUSED), (10, Outcome.REFUSED)]
        assert "its own cache would answer" in report.proofs[0].detail
    assert (store.read, run_of(first).receipts) == ([], ())


def test_without_the_check_of_machines_the_writers_own_cache_would_prove_it(store, first, home, monkeypatch):
    """The negative control of the test above."""
    monkeypatch.setattr("batonpass.sync.proving.why_not_apart", lambda _writer, _reader: "")
    prove_arrival(store, run_of(first), this_machine(home))
    assert len(run_of(first).arrived) == 2


@pytest.mark.parametrize("me", [Identity(), Identity(home="only a home")], ids=["nothing", "a home"])
def test_a_reader_that_cannot_be_told_from_the_writer_is_refused(store, first, me):
    report = prove_arrival(store, run_of(first), me)
    assert {proof.outcome for proof in report.proofs} == {Outcome.REFUSED}
    assert run_of(first).receipts == ()


@pytest.mark.parametrize("marks", [(), ("home:0123456789abcdef",)], ids=["an old session", "a home"])
def test_a_writer_that_cannot_be_told_from_the_reader_is_refused(store, first, marks):
    record = first.joined.writer.record
    first.joined.writer.change(host=replace(record.host, marks=marks))
    first.joined.writer.publish()
    report = prove_arrival(store, run_of(first), LAPTOP)
    assert {proof.detail for proof in report.proofs} == {"which machine wrote it is not known"}
    assert run_of(first).receipts == ()


def test_linux_inside_windows_is_no_reader_of_the_windows_computers_cache(monkeypatch, home):
    assert this_machine(home).boot or this_machine(home).install
    monkeypatch.setattr(identity.platform, "release", lambda: "5.15.153.1-microsoft-standard-WSL2")
    assert (this_machine(home).boot, this_machine(home).install) == ("", "")


def test_the_marks_of_two_sessions_of_one_machine_do_not_show_that_they_are_one(home):
    me = this_machine(home)
    assert not set(me.marks("one")) & set(me.marks("two"))
    assert me.marks("one") == this_machine(home).marks("one")
    assert not any(raw in mark for mark in me.marks("one") for raw in (me.boot, me.install, me.home) if raw)


def test_a_file_that_was_changed_gets_no_receipt(store, first):
    run = run_of(first)
    path = pool(store, run, 20)
    path.write_bytes(b"X" * path.stat().st_size)
    report = prove_arrival(store, run, LAPTOP)
    assert outcomes(report) == [(20, Outcome.DAMAGED), (10, Outcome.PROVEN)]
    assert "read twice" in report.proofs[0].detail
    assert [Path(key).name for key in store.read].count(path.name) == 2
    assert [e.key for e in run_of(first).receipts[0].entries] == [run.sessions[0].session.checkpoints[0].key]


@pytest.mark.parametrize("length", [0, 5])
def test_a_file_that_has_come_in_part_has_not_arrived_and_is_not_called_damaged(store, first, length):
    run = run_of(first)
    path = pool(store, run, 20)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    report = prove_arrival(store, run, LAPTOP)
    assert outcomes(report)[0] == (20, Outcome.WAITING)
    assert f"{length} of {len(whole)} bytes have come" in report.proofs[0].detail
    path.write_bytes(whole)
    assert outcomes(prove_arrival(store, run_of(first), LAPTOP)) == [(20, Outcome.PROVEN)]


@pytest.mark.parametrize("what", ["file", "manifest", "part of the manifest"])
def test_what_is_not_there_has_not_arrived_yet(store, first, what):
    run = run_of(first)
    manifest = store.root / run.sessions[0].session.checkpoints[1].key
    if what == "file":
        pool(store, run, 20).unlink()
    elif what == "manifest":
        manifest.unlink()
    else:
        manifest.write_bytes(manifest.read_bytes()[:100])
    assert outcomes(prove_arrival(store, run, LAPTOP))[0] == (20, Outcome.WAITING)


def test_another_manifest_than_the_published_one_is_damage(store, first):
    run = run_of(first)
    manifest = store.root / run.sessions[0].session.checkpoints[1].key
    manifest.write_bytes(manifest.read_bytes().replace(b'"step": 20', b'"step": 21'))
    assert outcomes(prove_arrival(store, run, LAPTOP))[0] == (20, Outcome.DAMAGED)


def test_what_is_proven_is_never_read_again_whoever_proved_it(store, first):
    prove_arrival(store, run_of(first), LAPTOP)
    store.read.clear()
    other = Identity(boot="another boot", install="another", home="another home")
    for me in (LAPTOP, other):
        assert prove_arrival(store, run_of(first), me).proofs == []
    assert store.read == []


def test_a_file_that_a_proven_checkpoint_shares_is_not_read_again(store, first):
    first.save(b"frozen" * 100)
    prove_arrival(store, run_of(first), LAPTOP)
    store.read.clear()
    first.train(1)
    first.save(b"frozen" * 100)
    report = prove_arrival(store, run_of(first), LAPTOP)
    assert outcomes(report) == [(21, Outcome.PROVEN)]
    assert (store.read, report.read_bytes) == ([], 0)


def test_a_file_of_the_session_before_is_not_proven_by_that_sessions_machine(store, first, tmp_path):
    """B, elsewhere, publishes weights that A, on the laptop, had sent: the laptop's cache would answer for them."""
    first.joined.writer.change(host=replace(first.joined.writer.record.host, marks=LAPTOP.marks(first.joined.session)))
    first.save(b"frozen" * 100)
    first.die()
    run = run_of(first)
    a = run.sessions[0].session
    with leg(store, tmp_path / "home-b", on=host("machine-2"), takeover=True) as second:
        newest = a.checkpoints[-1]
        second.joined.writer.change(resumed_from=ResumeRecord(a.id, newest.key, newest.step, 0))
        second.active.mirror.knows(read_manifest(store, newest.key))
        second.step = 30
        second.save(b"frozen" * 100)
        second.step = 31
        second.save(b"all of it B's own")
        by_step = dict(outcomes(prove_arrival(store, run_of(second), LAPTOP)))
    assert by_step[31] is Outcome.PROVEN
    assert by_step[30] is Outcome.REFUSED


def test_only_the_newest_is_looked_at_when_that_is_asked_for(store, first):
    assert outcomes(prove_arrival(store, run_of(first), LAPTOP, newest_only=True)) == [(20, Outcome.PROVEN)]
    assert prove_arrival(store, run_of(first), LAPTOP, newest_only=True).proofs == []


def test_a_receipt_for_another_manifest_or_by_an_unknown_way_counts_for_nothing(store, first):
    run = run_of(first)
    old, new = run.sessions[0].session.checkpoints
    entries = [ReceiptEntry(new.key, "0" * 64, AT, "read"), ReceiptEntry(old.key, old.manifest_sha256, AT, "a guess")]
    add_to_receipt(store, run.folder, "read-laptop", entries, listed=None)
    run = run_of(first)
    assert (len(run.receipts), run.arrived, run.broken) == (1, frozenset(), ())


HOSTILE = {
    "leads out": Receipt("evil", (ReceiptEntry("../../etc/passwd", "0" * 64, AT, "read"),)),
    "another run": Receipt("evil", (ReceiptEntry("runs/x-00000000/checkpoints/1-a-1.json", "0" * 64, AT, "read"),)),
    "another reader": Receipt("read-somebody-else"),
    "no name": Receipt("../evil"),
}


@pytest.mark.parametrize("name", [*HOSTILE, "no json", "a list"])
def test_a_hostile_or_damaged_receipt_is_named_and_ignored(store, first, name):
    run = run_of(first)
    body = encode(HOSTILE[name]) if name in HOSTILE else {"no json": b"{", "a list": b"[]"}[name]
    good = ReceiptEntry(run.sessions[0].session.checkpoints[0].key, "x", AT, "read")
    if name == "another reader":
        body = encode(Receipt("read-somebody-else", (good,)))
    store.put(naming.receipt_file(run.folder, "evil"), body)
    run = run_of(first)
    assert (run.receipts, run.arrived) == ((), frozenset())
    assert len(run.broken) == 1
    assert "receipts/evil.json" in run.broken[0]


def test_ones_own_damaged_receipt_is_begun_anew(store, first):
    report = prove_arrival(store, run_of(first), LAPTOP, newest_only=True)
    store.put(naming.receipt_file(first.joined.folder, report.reader), b"{")
    assert run_of(first).arrived == frozenset()
    prove_arrival(store, run_of(first), LAPTOP)
    assert len(run_of(first).arrived) == 2


def test_two_programs_of_one_reader_keep_each_others_entries(store, first, monkeypatch):
    run = run_of(first)
    old, new = (ReceiptEntry(c.key, c.manifest_sha256, AT, Method.READ) for c in run.sessions[0].session.checkpoints)
    put = store.put

    def put_late(key, body, **kwargs):
        monkeypatch.setattr(store, "put", put)
        add_to_receipt(store, run.folder, "read-laptop", [old], listed=None)
        return put(key, body, **kwargs)

    monkeypatch.setattr(store, "put", put_late)
    add_to_receipt(store, run.folder, "read-laptop", [new], listed=None)
    assert len(run_of(first).arrived) == 2


def test_entries_of_checkpoints_that_are_gone_go_from_the_receipt(store, first):
    run = run_of(first)
    add_to_receipt(
        store, run.folder, "r", [ReceiptEntry(f"{run.folder}checkpoints/1-x-1.json", "0", AT, "read")], listed=None
    )
    keys = {c.key for c in run.sessions[0].session.checkpoints}
    (new,) = run.sessions[0].session.checkpoints[1:]
    add_to_receipt(store, run.folder, "r", [ReceiptEntry(new.key, new.manifest_sha256, AT, "read")], listed=keys)
    (receipt,) = read_receipts(store, run.folder, [])
    assert [entry.key for entry in receipt.entries] == [new.key]


def test_a_process_that_dies_after_one_of_two_has_that_one_proven(store, first, monkeypatch):
    run = run_of(first)
    old = pool(store, run, 10).name
    fetch = store.fetch

    def die(key, to, **kwargs):
        if key.endswith(old):
            raise KeyboardInterrupt
        return fetch(key, to, **kwargs)

    monkeypatch.setattr(store, "fetch", die)
    with pytest.raises(KeyboardInterrupt):
        prove_arrival(store, run, LAPTOP)
    assert run_of(first).arrived == {run.sessions[0].session.checkpoints[1].key}


def test_the_words_turn_from_not_proven_yet_to_proven(store, first):
    first.active.close(EndKind.FINISHED)

    def word():
        run = run_of(first)
        sessions = [s.session for s in run.sessions]
        return run_state(run.head, sessions, {}, mount=True, arrived=run.arrived).word

    assert word() is Word.FINISHED
    prove_arrival(store, run_of(first), LAPTOP)
    assert word() is Word.PROVEN


def test_on_a_mount_the_last_proven_one_stays_until_a_newer_one_is_proven(store, first):
    """Three newer ones, an hour old, stand for a proof; a receipt needs neither."""
    pruner = Pruner(store, first.joined.folder, first.joined.writer, Keep(last=1))

    def gone():
        return [v.listing.step for v in pruner.plan(run_of(first)).remove]

    assert gone() == []
    prove_arrival(store, run_of(first), LAPTOP)
    assert gone() == [10]
    first.train(10)
    first.save()
    assert gone() == [10], "20 is the newest that is proven: it stays although 30 is handed over"
    prove_arrival(store, run_of(first), LAPTOP)
    assert gone() == [20, 10]


def test_without_receipts_on_a_mount_one_goes_after_three_newer_ones_the_oldest_an_hour_ago(store, first):
    for _ in range(2):
        first.train(10)
        first.save()
    late = FolderStore(
        store.root, mount=store._mount, lock_file=store._lock_file, now=lambda: datetime.now(UTC) + timedelta(hours=2)
    )
    soon, later = (Pruner(each, first.joined.folder, first.joined.writer, Keep(last=1)) for each in (store, late))
    assert [v.listing.step for v in soon.plan(run_of(first)).remove] == []
    assert [v.listing.step for v in later.plan(run_of(first)).remove] == [10]


def test_where_the_store_proves_everything_no_receipt_is_looked_for(tmp_path, home):
    disk = open_store(str(tmp_path / "disk"), Settings(home=home))
    with leg(disk, home) as one:
        one.train(1)
        one.save()
        disk.put(naming.receipt_file(one.joined.folder, "evil"), b"{")
        run = run_of(one)
        assert (run.broken, run.receipts) == ((), ())


def test_a_copy_to_a_mounted_drive_names_no_writer_so_that_only_the_far_store_can_prove_it(tmp_path, home, store):
    disk = open_store(str(tmp_path / "disk"), Settings(home=home))
    with leg(disk, home) as one:
        one.train(1)
        one.save()
    copy_root(disk, store)
    run = read_run(store, one.joined.folder)
    assert {p.outcome for p in prove_arrival(store, run, LAPTOP).proofs} == {Outcome.REFUSED}


def test_the_receipt_is_plain_and_named_by_its_reader(store, first):
    report = prove_arrival(store, run_of(first), LAPTOP)
    key = naming.receipt_file(first.joined.folder, report.reader)
    receipt = decode(Receipt, store.get(key), key=key)
    listing = run_of(first).sessions[0].session.checkpoints[0]
    content = hashlib.sha256(store.get(listing.key)).hexdigest()
    assert {e.manifest_sha256 for e in receipt.entries if e.key == listing.key} == {content}


def test_a_file_that_changes_while_it_is_read_has_not_arrived_yet(store, first):
    faulty = FaultyStore(store, [Fault("fetch", make=lambda op: ConflictError("replaced", op=op))])
    report = prove_arrival(faulty, run_of(first), LAPTOP)
    assert outcomes(report) == [(20, Outcome.WAITING), (10, Outcome.PROVEN)]
    assert "changed while it was read" in report.proofs[0].detail


def test_a_store_that_does_not_answer_raises_and_is_no_word_about_the_checkpoint(store, first):
    with pytest.raises(StoreUnreachableError):
        prove_arrival(FaultyStore(store, [Fault("fetch")]), run_of(first), LAPTOP)
    assert run_of(first).receipts == ()
