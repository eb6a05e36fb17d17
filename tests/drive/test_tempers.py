"""Where the real Drive may answer in two ways: the store keeps its word in both, and notices by itself in which it is."""

from __future__ import annotations

import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from legs import host

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.errors import ConflictError, StoreUnreachableError
from batonpass.core.model import Head
from batonpass.core.storage import ABSENT, Store, Transfer
from batonpass.sync.drive.history import Revision, mark_after, read_history
from batonpass.sync.drive.payload import Payload
from batonpass.sync.handover import Patience, claim, empty_head, join_as_branch, release
from batonpass.sync.reading import read_head
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

FOLDER = naming.run_folder("cats", "1f2e3d4c")
HEAD = naming.head_file(FOLDER)
BIG = f"{FOLDER}files/100-model-abababab.safetensors"
PATIENCE = Patience(say=lambda _line: None)


def swapped(store: Store, body: bytes, version: str) -> str | None:
    try:
        return store.put(HEAD, body, expect=version).version
    except ConflictError:
        return None


def test_a_swap_goes_through_although_the_etag_has_moved(drive, emulator):
    """Somebody stars the file between look and swap: the content is the expected one, so nobody is told of a conflict."""
    version = drive.put(HEAD, b"one").version
    info = drive.stat(HEAD)
    for body in (b"two", b"three"):  # the first swap asks Drive, the second goes straight
        emulator.control("touch", file_id=info.id)
        version = drive.put(HEAD, body, expect=version).version
    assert drive.get(HEAD) == b"three"


def test_the_first_swap_asks_whether_conditions_hold(drive, emulator):
    """It costs one look and one refused write, once for each process."""
    version = drive.put(HEAD, b"one").version
    for by_op in ({"files.get": 1, "files.update": 2}, {"files.update": 1}):
        emulator.control("reset_log")
        version = drive.put(HEAD, b"body %d" % len(by_op), expect=version).version
        assert emulator.log()["by_op"] == by_op


@pytest.mark.parametrize("move", [claim, release, join_as_branch])
def test_a_handover_is_not_stopped_by_a_moving_etag(drive, emulator, move):
    """412 without another writer means to look again: claim, release and join go on although the etag moves before each write."""
    file_id = _a_run(drive, holder="first")
    store = Touching(drive, lambda: emulator.control("touch", file_id=file_id))
    if move is claim:
        assert claim(store, FOLDER, "first", host(), takeover=False, patience=PATIENCE).holder == "first"
    elif move is release:
        release(store, FOLDER, "first")
        assert read_head(drive, FOLDER)[0].holder is None
    else:
        assert "second" in join_as_branch(store, FOLDER, "second").sessions
    assert store.touched


@pytest.mark.parametrize("move", [claim, release, join_as_branch])
def test_a_handover_reads_again_after_another_writer(drive, open_drive, move):
    """Another session joins between look and write: nothing of it is lost, and the caller still gets what it asked for."""
    _a_run(drive, holder="first")
    other = open_drive()
    store = Touching(drive, lambda: join_as_branch(other, FOLDER, "between"), times=1)
    if move is claim:
        claim(store, FOLDER, "first", host(), takeover=False, patience=PATIENCE)
    elif move is release:
        release(store, FOLDER, "first")
    else:
        join_as_branch(store, FOLDER, "second")
    head, _ = read_head(drive, FOLDER)
    assert "between" in head.sessions
    assert head.holder == (None if move is release else "first")
    assert ("second" in head.sessions) == (move is join_as_branch)


def test_no_branch_is_lost_while_many_join_at_once(open_drive, emulator, temper):
    """Eight clients add themselves to one head at the same time: all are in it at the end."""
    clients = [open_drive() for _ in range(8)]
    _a_run(clients[0], holder="first")
    emulator.control("reveal")  # this is about conditions: how many lists leave the head out depends on who asks first
    barrier = threading.Barrier(len(clients))

    def join(i: int) -> None:
        barrier.wait()
        join_as_branch(clients[i], FOLDER, f"session-{i}")

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(join, range(len(clients))))
    head, _ = read_head(open_drive(), FOLDER)
    assert set(head.sessions) >= {f"session-{i}" for i in range(len(clients))}


def test_of_two_clients_one_wins_each_version_even_without_conditions(open_drive, emulator):
    """Drive takes both writes: the one that came second is told, and has put back what it replaced."""
    emulator.control("temper", name="kind", media_if_match=False)
    one, two = open_drive(), open_drive()
    version = one.put(HEAD, b"0").version
    two.stat(HEAD)
    with ThreadPoolExecutor(2) as pool:
        for i in range(12):
            bodies = (b"%d by one" % i, b"%d by two" % i)
            answers = list(pool.map(swapped, (one, two), bodies, (version, version)))
            winners = [b for b, a in zip(bodies, answers, strict=True) if a is not None]
            assert len(winners) == 1
            assert one.get(HEAD) == two.get(HEAD) == winners[0] == open_drive().get(HEAD)
            version = open_drive().stat(HEAD).version


def test_a_late_write_whose_writer_died_is_undone_by_the_next(drive, open_drive, emulator):
    """A client that wrote too late and could not put things right leaves its bytes as head: the next swap brings back the lawful ones."""
    emulator.control("temper", name="kind", media_if_match=False)
    late, start = open_drive(), drive.put(HEAD, b"start")
    lawful = drive.put(HEAD, b"lawful", expect=start.version)
    emulator.fault("answer", op="revisions.list", times=0)
    late.stat(HEAD)
    _write_over(late, emulator, start, b"too late")
    emulator.control("clear_faults")
    assert open_drive().get(HEAD) == b"too late"
    assert swapped(drive, b"next", lawful.version) is not None
    assert open_drive().get(HEAD) == b"next"


def test_without_the_look_afterwards_an_entry_would_be_lost(drive, open_drive, emulator, monkeypatch):
    """The negative control: a store that trusts the answer alone overwrites a lawful write and calls that a success."""
    emulator.control("temper", name="kind", media_if_match=False)
    late, start = open_drive(), drive.put(HEAD, b"start")
    drive.put(HEAD, b"lawful", expect=start.version)
    resource = _sent(late, emulator, start, b"too late")
    late._writer._swapper._honoured = False
    with pytest.raises(ConflictError):
        late._writer._swapper._settle((start.id, start.version, ""), resource)
    assert open_drive().get(HEAD) == b"lawful"
    monkeypatch.setattr(type(late._writer._swapper), "_settle", lambda _self, _mine, resource: resource)
    assert late._writer._swapper._settle((start.id, start.version, ""), _sent(late, emulator, start, b"too late"))
    assert open_drive().get(HEAD) == b"too late"


def test_a_look_afterwards_that_fails_is_made_up_for(drive, emulator):
    """The write went through and nobody could say whether it counts: the same swap again finds its own bytes, and no conflict."""
    emulator.control("temper", name="kind", media_if_match=False)
    version = drive.put(HEAD, b"one", expect=drive.put(HEAD, b"zero").version).version
    emulator.fault("answer", op="revisions.list", status=503)
    with pytest.raises(StoreUnreachableError):
        drive.put(HEAD, b"two", expect=version)
    info = drive.put(HEAD, b"two", expect=version)
    assert drive.get(HEAD) == b"two"
    assert drive.put(HEAD, b"three", expect=info.version)


def test_a_client_reads_its_own_writes_while_lists_lag(drive, emulator, account):
    """What this client made is in its lists, is not made twice, and can be deleted, though no list of Drive shows it."""
    emulator.control("settings", list_lag_s=3600)
    drive.put(HEAD, b"1", expect=ABSENT)
    with pytest.raises(ConflictError):
        drive.put(HEAD, b"2", expect=ABSENT)
    assert [o.key for o in drive.list_objects("")] == [HEAD]
    assert drive.list_folders("runs/") == ["cats-1f2e3d4c"]
    drive.put(f"{FOLDER}run.json", b"x")
    assert len([f for f in emulator.files("runs") if f["owner"] == account]) == 1
    drive.delete(HEAD)
    assert [o.key for o in drive.list_objects("")] == [f"{FOLDER}run.json"]
    assert not [f for f in emulator.files("head.json") if f["owner"] == account]


def test_what_another_client_deleted_is_not_listed_from_memory(drive, open_drive, emulator):
    """A list is completed only by what Drive says is still there."""
    info = drive.put(HEAD, b"1")
    open_drive().delete(HEAD, store_id=info.id)
    assert drive.list_objects("") == []


def test_a_session_that_keeps_less_is_followed(drive, emulator, tmp_path):
    """Every second request is kept in part: the upload ends whole, and sends nothing from its beginning again."""
    emulator.control("temper", name="kind", short_ranges=True, seed=2)
    body = bytes(range(256)) * 4 * 1024 * 9
    (tmp_path / "big").write_bytes(body)
    drive.put(BIG, tmp_path / "big")
    assert drive.get(BIG) == body
    assert emulator.log()["by_status"]["308"] >= 1


def test_a_broken_download_goes_on_although_the_etag_has_moved(drive, emulator, tmp_path):
    """Somebody stars the file while its reader's connection is broken: the content is the same, so it is not read again."""
    body = bytes(range(256)) * 4 * 1024 * 9
    (tmp_path / "big").write_bytes(body)
    file_id = drive.put(BIG, tmp_path / "big").id
    emulator.fault("reset", op="media.get", after_bytes=4_000_000)
    told: list[int] = []

    def touch(at: int, _end: int) -> None:
        if not told:
            emulator.control("touch", file_id=file_id)
        told.append(at)

    to = io.BytesIO()
    emulator.control("reset_log")
    drive.fetch(BIG, to, transfer=Transfer(on_progress=touch))
    assert to.getvalue() == body
    assert emulator.log()["by_op"] == {"media.get": 2, "files.get": 2}


@pytest.mark.parametrize("shared", [True, False])
def test_a_second_user_of_the_same_client(drive, open_drive, drive_settings, emulator, shared):
    """Whether drive.file shows what was shared is Drive's to say; a root that is not visible is said to be missing, not empty."""
    emulator.control("temper", name="kind", shares_reach_the_client=shared)
    drive.put(HEAD, b"1")
    root = next(f for f in emulator.files("batonpass") if f["id"] in drive._tree.folder(""))
    drive._http.send(
        "POST",
        f"{emulator.url}drive/v2/files/{root['id']}/permissions",
        json={"value": "bea@example.org", "role": "writer", "type": "user"},
    )
    second = open_drive(
        replace(drive_settings, drive_token=emulator.token("bea@example.org")), url=f"gdrive://id:{root['id']}"
    )
    if shared:
        assert second.get(HEAD) == b"1"
    else:
        with pytest.raises(Exception, match=re.escape("cannot see it")):
            second.list_objects("")


class Touching:
    """A store before whose conditional writes something happens: always, or the first `times`."""

    def __init__(self, inner: Store, happen, times: int = 10**6) -> None:
        self._inner = inner
        self._happen = happen
        self._left = times
        self.touched = 0

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    def put(self, key: str, body: bytes, **options):
        if options.get("expect") and self._left > 0:
            self._left -= 1
            self.touched += 1
            self._happen()
        return self._inner.put(key, body, **options)


def _a_run(store: Store, holder: str) -> str:
    """A head that `holder` holds; the file's id."""
    store.put(HEAD, encode(empty_head()), expect=ABSENT)
    claim(store, FOLDER, holder, host(), takeover=False, patience=PATIENCE)
    assert decode(Head, store.get(HEAD), key=HEAD).holder == holder
    return store.stat(HEAD).id or ""


def _write_over(store, emulator, start, body: bytes) -> None:
    """A swap whose look was made before another's write, and which dies before it can look again."""
    swapper = store._writer._swapper
    swapper._honoured = False
    mine = (start.id, start.version, "")
    with pytest.raises(StoreUnreachableError):
        swapper._settle(mine, _sent(store, emulator, start, body))


def _sent(store, emulator, start, body: bytes):
    payload = Payload(body, HEAD)
    return store._writer._swapper._send((start.id, start.version, payload.digest.md5), payload, '"x"', Transfer())


def test_a_rivals_write_is_not_taken_for_ones_own_when_the_look_afterwards_fails(open_drive, emulator):
    """Without conditions, and tried again as every session does: the lawful writer came between, and the head holds the unlawful bytes."""
    emulator.control("temper", name="kind", media_if_match=False)
    one, rival = open_drive(), open_drive()
    version = one.put(HEAD, b"0").version
    for client in (one, rival):  # each has learned that conditions are not honoured
        version = client.put(HEAD, b"learned by %d" % id(client), expect=version).version
    retried = RetryStore(one, wait=lambda _seconds: False, backoff=Backoff(limit_s=1e9))
    one.stat(HEAD)
    real = one._writer._swapper._send

    def rival_first(*args):
        one._writer._swapper._send = real
        rival.put(HEAD, b"lawful", expect=version)
        emulator.fault("answer", op="revisions.list", times=1, status=503)
        return real(*args)

    one._writer._swapper._send = rival_first
    with pytest.raises(ConflictError):
        retried.put(HEAD, b"unlawful", expect=version)
    assert open_drive().get(HEAD) == rival.get(HEAD) == b"lawful"


def test_a_list_of_revisions_with_a_gap_rolls_nothing_back():
    """The list lags: a write over a version that it does not tell of is lawful."""
    zero, two = Revision("r0", "a" * 32), Revision("r2", "c" * 32, mark_after("r1", "c" * 32))
    history = read_history([zero, two])
    assert history.current == two
    assert history.whole


def test_a_servers_clock_that_steps_back_undoes_no_write(open_drive, emulator):
    """Drive's times are not the order of writes then; what each says it replaces is."""
    emulator.control("temper", name="kind", media_if_match=False)
    one = open_drive()
    version = one.put(HEAD, b"0").version
    for number in range(1, 5):
        if number == 2:
            emulator.control("settings", clock_skew_s=-60)
        version = one.put(HEAD, b"%d" % number, expect=version).version
        assert one.get(HEAD) == open_drive().get(HEAD) == b"%d" % number
