"""Names that are not unique, listings that lag, several clients at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from batonpass.core.errors import ConflictError, NotFoundError, StoreError, UsageError
from batonpass.core.storage import ABSENT
from batonpass.sync.drive import http as drive_http
from batonpass.sync.drive import pydrive
from batonpass.sync.stores.gdrive import open_gdrive

HEAD = "runs/cats-1f2e3d4c/head.json"


def test_twins_of_a_key_have_one_winner_for_everyone(drive, open_drive, emulator):
    """Two clients create one key while listings lag: every later reader sees the older one, and delete removes both."""
    other = open_drive()
    drive.put("runs/a-1f2e3d4c/run.json", b"x")
    emulator.control("settings", list_lag_s=0)
    other.list_objects("")
    emulator.control("settings", list_lag_s=3600)
    older = drive.put(HEAD, b"older", expect=ABSENT)
    younger = other.put(HEAD, b"younger", expect=ABSENT)
    assert older.id != younger.id
    assert (drive.get(HEAD), other.get(HEAD)) == (b"older", b"younger")
    for file in emulator.files():
        emulator.control("hide", file_id=file["id"], for_s=0)
    assert open_drive().get(HEAD) == b"older"
    for client in (drive, other, open_drive()):
        assert [o.id for o in client.list_objects("runs/cats-1f2e3d4c/")] == [older.id]
        assert client.get(HEAD) == b"older"
    other.delete(HEAD)
    with pytest.raises(NotFoundError):
        open_drive().get(HEAD)
    assert not [f for f in emulator.files() if f["id"] in (older.id, younger.id)]


def test_of_two_creators_at_once_one_takes_back_its_own(open_drive, emulator, account):
    """Without lag a race of creators leaves one file, and everyone else is told."""
    clients = [open_drive() for _ in range(6)]
    clients[0].put("runs/cats-1f2e3d4c/run.json", b"x")
    for client in clients:
        client.list_folders("runs/cats-1f2e3d4c/")
        client.new_ids(1)
    emulator.control("settings", latency_s=0.2)  # everybody has looked before anybody has created
    barrier = threading.Barrier(len(clients))

    def create(client) -> bool:
        barrier.wait()
        try:
            client.put(HEAD, b"%d" % id(client), expect=ABSENT)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(len(clients)) as pool:
        wins = sum(pool.map(create, clients))
    assert wins == 1
    assert len([f for f in emulator.files("head.json") if f["owner"] == account]) == 1


def test_what_lies_in_twin_folders_is_found(open_drive, emulator):
    """Two clients make the root and `runs/` at the same time: nothing of either is lost to a third."""
    emulator.control("settings", list_lag_s=3600)
    one, two = open_drive(), open_drive()
    one.put("runs/a-11111111/run.json", b"a")
    two.put("runs/b-22222222/run.json", b"b")
    for file in emulator.files():
        emulator.control("hide", file_id=file["id"], for_s=0)
    assert one.get("runs/b-22222222/run.json") == b"b"
    for client in (one, two, open_drive()):
        assert client.list_folders("runs/") == ["a-11111111", "b-22222222"]
        assert [o.key for o in client.list_objects("")] == ["runs/a-11111111/run.json", "runs/b-22222222/run.json"]
        assert client.get("runs/b-22222222/run.json") == b"b"
    assert open_drive().get("runs/a-11111111/run.json") == b"a"


def test_one_client_with_many_threads_makes_each_folder_once(drive, emulator, account):
    """Eight threads write into new folders."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: drive.put(f"runs/a-11111111/files/{i}.bin", b"x"), range(8)))
    for title in ("batonpass", "runs", "a-11111111", "files"):
        assert len([f for f in emulator.files(title) if f["owner"] == account]) == 1


def test_two_clients_race_for_one_version(open_drive):
    """Of two swaps over one version exactly one succeeds, a hundred times; the other is told at once."""
    one, two = open_drive(), open_drive()
    version = one.put(HEAD, b"0").version
    two.stat(HEAD)
    with ThreadPoolExecutor(2) as pool:
        for i in range(100):
            answers = list(pool.map(lambda c, i=i, v=version: _swap(c, b"%d" % i, v), (one, two)))
            assert sum(a is not None for a in answers) == 1
            version = next(a for a in answers if a is not None)


def test_nothing_is_listed_on_the_hot_path(drive, emulator):
    """A session's update, a look at it and a new blob cost one request each, once the folders are known, and that conditions hold."""
    (blob_id, warm) = drive.new_ids(2)
    drive.put(HEAD, b"1", expect=drive.put(HEAD, b"0").version)
    drive.put("runs/cats-1f2e3d4c/files/warm.bin", b"x", store_id=warm)
    emulator.control("reset_log")
    version = drive.put(HEAD, b"2").version
    drive.put(HEAD, b"3", expect=version)
    drive.stat(HEAD)
    drive.get(HEAD)
    drive.put("runs/cats-1f2e3d4c/files/1-a-abababab.bin", b"x", store_id=blob_id)
    assert emulator.log()["by_op"] == {"files.update": 2, "files.get": 1, "media.get": 1, "files.insert": 1}


def test_a_listing_comes_in_pages(drive, emulator):
    """A server that gives three files at a time is asked until there are no more."""
    emulator.control("settings", page_limit=3)
    for i in range(10):
        drive.put(f"many/{i}.bin", b"")
    emulator.control("reset_log")
    assert len(drive.list_objects("many/")) == 10
    assert emulator.log()["by_op"]["files.list"] >= 4


def test_folders_with_quotes_and_spaces_in_their_name(open_drive, emulator, account):
    """The root may be called what the user likes; its URL opens it again."""
    store = open_drive(url="gdrive://Ann's \\ runs & more")
    store.put(HEAD, b"1")
    assert open_drive(url=store.url).get(HEAD) == b"1"
    assert len([f for f in emulator.files("Ann's \\ runs & more") if f["owner"] == account]) == 1


def test_a_root_by_its_id(drive, open_drive, emulator, account):
    """`gdrive://id:<id>` is that folder and never creates another."""
    drive.put(HEAD, b"1")
    (root,) = [f["id"] for f in emulator.files("batonpass") if f["owner"] == account]
    assert open_drive(url=f"gdrive://id:{root}").get(HEAD) == b"1"
    missing = open_drive(url="gdrive://id:1nosuchfolder")
    with pytest.raises(NotFoundError):
        missing.get(HEAD)
    with pytest.raises(StoreError):
        missing.put(HEAD, b"1")


def test_another_oauth_client_does_not_see_our_files(drive, open_drive, drive_settings, emulator, account):
    """Scope drive.file: what one client wrote is invisible to another, of the same account."""
    drive.put(HEAD, b"1")
    token = emulator.token(account, client_id="other.apps.example.org")
    assert open_drive(replace(drive_settings, drive_token=token)).list_objects("") == []


@pytest.mark.parametrize("url", ["gdrive://", "gdrive:///", "gdrive://a/b", "gdrive://id:"])
def test_urls_that_name_no_folder_are_refused(url, drive_settings):
    """Before anything is sent."""
    with pytest.raises(UsageError):
        open_gdrive(url, drive_settings)


def test_a_server_that_says_nothing_is_given_up(drive_settings, open_drive, emulator, monkeypatch):
    """Both libraries have a timeout: a stalled call ends as "unreachable"."""
    monkeypatch.setattr(drive_http, "TIMEOUT_S", (5.0, 0.2))
    monkeypatch.setattr(pydrive, "TIMEOUT_S", 0.2)
    store = open_drive()
    store.put(HEAD, b"1")
    for op, call in (("media.get", store.get), ("files.get", store.stat)):
        emulator.fault("stall", op=op, for_s=3)
        with pytest.raises(StoreError) as caught:
            call(HEAD)
        assert not caught.value.permanent
        assert "Timeout" in caught.value.message


def _swap(client, body: bytes, version: str) -> str | None:
    try:
        return client.put(HEAD, body, expect=version).version
    except ConflictError:
        return None
