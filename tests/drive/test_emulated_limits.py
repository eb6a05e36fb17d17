"""What the emulator says about space, days and revisions, asked in the words of v2; and a store in a storm."""

from __future__ import annotations

import io

import pytest
from drive_emulator.storm import CALLS, storm

from batonpass.core.errors import StoreFullError, StoreThrottledError
from batonpass.core.storage import ABSENT, Transfer
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

KEY = "runs/cats-1f2e3d4c/head.json"
BIG = "runs/cats-1f2e3d4c/files/100-model-abababab.safetensors"


def ask(drive, method: str, path: str, **options):
    answer = drive._http.send(method, f"{drive._http.root_url}drive/v2/{path}", **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def used(drive) -> int:
    return int(drive.about()["quotaBytesUsed"])


def test_each_content_is_a_revision_and_only_head_and_pinned_ones_cost(drive):
    """The head's id changes with the content, not with the name; an older content can be read; pinning it makes it count."""
    file_id = drive.put(KEY, b"x" * 1000).id
    head = ask(drive, "GET", f"files/{file_id}")["headRevisionId"]
    drive.put(KEY, b"y" * 500)
    items = ask(drive, "GET", f"files/{file_id}/revisions")["items"]
    assert [(r["fileSize"], r["pinned"]) for r in items] == [("1000", False), ("500", False)]
    assert items[0]["id"] == head
    resource = ask(drive, "GET", f"files/{file_id}")
    assert (items[1]["id"], resource["quotaBytesUsed"]) == (resource["headRevisionId"], "500")
    assert used(drive) == 500
    old = drive._http.send("GET", f"{drive._http.root_url}drive/v2/files/{file_id}?alt=media&revisionId={head}")
    assert old.content == b"x" * 1000
    ask(drive, "PUT", f"files/{file_id}/revisions/{head}", json={"pinned": True})
    assert used(drive) == 1500


def test_the_trash_counts_until_it_is_emptied(drive, emulator, account):
    """A Drive whose space is in the trash is full, and takes content again when the user has emptied it."""
    info = drive.put("a.bin", b"x" * 900)
    emulator.control("account", email=account, quota_bytes=1000)
    emulator.control("trash", file_id=info.id)
    with pytest.raises(StoreFullError):
        drive.put("b.bin", b"y" * 500)
    emulator.control("empty_trash", email=account)
    drive.put("b.bin", b"y" * 500)
    assert used(drive) == 500


def test_space_that_mail_takes_fills_the_drive_while_it_runs(drive, emulator, account):
    """Nothing of ours grew, and yet it is full; it is free again when the mail is gone."""
    emulator.control("account", email=account, quota_bytes=1000)
    drive.put(KEY, b"x" * 100)
    emulator.control("account", email=account, other_bytes=950)
    with pytest.raises(StoreFullError):
        drive.put(KEY, b"x" * 200)
    emulator.control("account", email=account, other_bytes=0)
    drive.put(KEY, b"x" * 200)


def test_after_the_days_limit_content_is_refused_and_the_rest_goes_on(drive, emulator, account):
    """It sounds like a rate limit, and holds until the next day; looking, listing and deleting work."""
    drive.put(KEY, b"x" * 100)
    emulator.control("account", email=account, daily_bytes=100)
    for key, body in ((KEY, b"y"), ("b.json", b"z"), (BIG, b"z" * (5 << 20))):
        with pytest.raises(StoreThrottledError):
            drive.put(key, body)
    assert drive.stat(KEY).size_bytes == 100
    assert [o.key for o in drive.list_objects("")] == [KEY]
    drive.delete(KEY)
    emulator.control("new_day", email=account)
    drive.put(KEY, b"y")


def test_a_storm_is_the_same_again_and_reaches_every_call():
    """From one seed the same faults, each of which strikes once."""
    assert storm(7) == storm(7) != storm(8)
    assert {f.op for f in storm(7)} == set(CALLS)
    assert {f.times for f in storm(7)} == {1}


@pytest.mark.parametrize("seed", range(2))
def test_a_store_comes_through_a_storm(open_drive, emulator, account, temper, tmp_path, seed):
    """Whatever the temper: each object is there once and whole, and every swap counted, when the faults have struck."""
    store = RetryStore(open_drive(), wait=lambda _seconds: False, backoff=Backoff(limit_s=1e9))
    big = bytes(range(256)) * 4 * 1024 * 6
    (tmp_path / "big").write_bytes(big)
    before = emulator.control("storm", seed=seed)
    version = store.put(KEY, b"0", expect=ABSENT).version
    for i in range(1, 12):
        version = store.put(KEY, b"%d" % i, expect=version).version
        store.put(f"{KEY}.{i}", b"%d" % i)
    for i in range(3):
        store.put(f"{BIG}.{i}", tmp_path / "big", transfer=Transfer())
        to = io.BytesIO()
        store.fetch(f"{BIG}.{i}", to)
        assert to.getvalue() == big
    store.delete(f"{KEY}.11")
    names = [o.key for o in store.list_objects("")]
    assert store.get(KEY) == b"11"
    assert emulator.control("pending_faults") < before - 20
    emulator.control("clear_faults")
    assert names == sorted([KEY, *(f"{KEY}.{i}" for i in range(1, 11)), *(f"{BIG}.{i}" for i in range(3))])
    mine = [(f["title"], tuple(f["parents"])) for f in emulator.files() if f["owner"] == account]
    assert len(mine) == len(set(mine))
