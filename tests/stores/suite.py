"""The store contract (core/storage.py) as code. Every store passes it, also wrapped in retry.

To put another store through it, add a maker to `MAKERS` in conftest.py: a function from a `StoreRequest` to a store with an empty
root. Tests that need a property which a store does not promise are skipped for it, by the store's own `properties`.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from batonpass.core.errors import ConflictError, FormatError, NotFoundError, StoppedError, StoreError
from batonpass.core.files import CHUNK_BYTES
from batonpass.core.storage import ABSENT, Store, Transfer

KEY = "runs/cats-1f2e3d4c/head.json"
OPS: dict[str, Callable[[Store, str], object]] = {
    "put": lambda store, key: store.put(key, b"x"),
    "get": lambda store, key: store.get(key),
    "fetch": lambda store, key: store.fetch(key, io.BytesIO()),
    "stat": lambda store, key: store.stat(key),
    "checksum": lambda store, key: store.checksum(key),
    "delete": lambda store, key: store.delete(key),
}
ESCAPES = [
    "../out",
    "/etc/passwd",
    "a/../../out",
    "",
    "a//b",
    "a/./b",
    "C:/x",
    "a\\b",
    "a/",
    "nul",
    "a/.hidden",
    "a\0b",
]
ODD_NAMES = [
    "README.txt",
    "A",
    "_",
    "0-9.._x".replace("..", "."),
    "x" * 180 + ".json",
    "files/4200-model.safetensors-ab12.tar.gz",
    "agent/batonpass-0.1.0-py3-none-any.whl",
    "a/b/c/d/e/f/g.bin",
]


def random_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression or run length explains away."""
    block = hashlib.shake_256(str(seed).encode()).digest(min(size, 65536))
    return (block * (size // 65536 + 1))[:size]


def fetched(store: Store, key: str, **options) -> bytes:
    """What `fetch` wrote, checked against what it says it wrote."""
    to = io.BytesIO()
    written = store.fetch(key, to, **options)
    assert written == len(to.getvalue())
    return to.getvalue()


class StoreContract:
    """Subclass with a fixture `store` that has an empty root."""

    def test_reads_what_was_written(self, store: Store):
        """get, fetch, stat and checksum speak of the bytes just written."""
        body = b'{"term": 1}\n'
        info = store.put(KEY, body)
        assert (info.key, info.size_bytes) == (KEY, len(body))
        assert store.get(KEY) == body
        assert fetched(store, KEY) == body
        stat = store.stat(KEY)
        assert (stat.key, stat.size_bytes, stat.version) == (KEY, len(body), info.version)
        checked = store.checksum(KEY)
        assert (checked.size_bytes, checked.version) == (len(body), info.version)
        assert checked.md5 in (None, hashlib.md5(body).hexdigest())
        assert checked.sha256 in (None, hashlib.sha256(body).hexdigest())
        assert checked.md5 or checked.sha256

    def test_replaces_the_whole_object(self, store: Store):
        """A shorter body leaves nothing of the longer one, and the version changes."""
        first = store.put(KEY, b"a longer body")
        second = store.put(KEY, b"short")
        assert store.get(KEY) == b"short"
        assert first.version != second.version == store.stat(KEY).version

    def test_versions_change_with_equal_sizes(self, store: Store):
        """Bodies of one length, written as fast as possible, all have different versions."""
        versions = [store.put(KEY, b"%04d" % i).version for i in range(20)]
        assert len(set(versions)) == 20

    def test_streams_a_local_file(self, store: Store, tmp_path: Path):
        """A path's bytes arrive whole, over many chunks."""
        body = random_bytes(3 * CHUNK_BYTES + 17)
        local = tmp_path / "model.safetensors"
        local.write_bytes(body)
        info = store.put("files/1-model-abababab.safetensors", local)
        assert info.size_bytes == len(body)
        assert fetched(store, info.key) == body
        checked = store.checksum(info.key)
        assert checked.version == info.version
        assert checked.md5 in (None, hashlib.md5(body).hexdigest())
        assert checked.sha256 in (None, hashlib.sha256(body).hexdigest())
        assert local.read_bytes() == body

    def test_says_when_the_local_file_is_missing(self, store: Store, tmp_path: Path):
        """A local file that is not there is a final store error, never "not on the store", and writes nothing."""
        with pytest.raises(StoreError) as caught:
            store.put(KEY, tmp_path / "gone")
        assert caught.value.permanent
        assert not isinstance(caught.value, NotFoundError)
        assert store.list_objects("") == []

    @pytest.mark.parametrize("from_path", [False, True])
    def test_keeps_empty_objects(self, store: Store, tmp_path: Path, from_path: bool):
        """Zero bytes are an object like any other."""
        (tmp_path / "empty").touch()
        store.put(KEY, tmp_path / "empty" if from_path else b"")
        assert store.get(KEY) == b""
        assert fetched(store, KEY) == b""
        assert store.stat(KEY).size_bytes == 0
        assert store.checksum(KEY).size_bytes == 0
        assert [o.key for o in store.list_objects("")] == [KEY]

    @pytest.mark.parametrize(
        "offset", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 4, 2 * CHUNK_BYTES + 5, 10**8]
    )
    def test_fetches_from_an_offset(self, store: Store, offset: int):
        """`fetch` gives the rest of the object from there; at or past the end it gives nothing."""
        body = random_bytes(2 * CHUNK_BYTES + 5)
        store.put(KEY, body)
        assert fetched(store, KEY, offset=offset) == body[offset:]

    @pytest.mark.parametrize("op", ["get", "fetch", "stat", "checksum"])
    def test_says_when_nothing_is_there(self, store: Store, op: str):
        """Reading an absent key is NotFoundError with the key, in an empty root and beside other objects."""
        for _ in range(2):
            with pytest.raises(NotFoundError) as caught:
                OPS[op](store, KEY)
            assert caught.value.key == KEY
            store.put("runs/cats-1f2e3d4c/run.json", b"x")

    @pytest.mark.parametrize("op", ["get", "fetch", "stat", "checksum"])
    def test_a_folder_is_not_an_object(self, store: Store, op: str):
        """The key of a folder names no object."""
        store.put(KEY, b"x")
        with pytest.raises(NotFoundError):
            OPS[op](store, "runs/cats-1f2e3d4c")

    def test_lists_objects_under_a_folder(self, store: Store):
        """Recursively, in key order, with sizes and versions; a prefix is a folder, not the beginning of a name."""
        keys = ["b/2.json", "b/1.json", "b/c/3.json", "bb/4.json", "a.json"]
        written = {key: store.put(key, key.encode()) for key in keys}
        listed = store.list_objects("b/")
        assert [o.key for o in listed] == ["b/1.json", "b/2.json", "b/c/3.json"]
        assert [(o.size_bytes, o.version) for o in listed] == [
            (written[o.key].size_bytes, written[o.key].version) for o in listed
        ]
        assert [o.key for o in store.list_objects("")] == sorted(keys)
        assert store.list_objects("nothing/") == []

    def test_lists_folders_under_a_folder(self, store: Store):
        """Directly under it only, sorted, without the files."""
        for key in ["runs/b-1/head.json", "runs/a-2/sessions/s.json", "runs/note.txt", "top.json"]:
            store.put(key, b"x")
        assert store.list_folders("runs/") == ["a-2", "b-1"]
        assert store.list_folders("runs/a-2/") == ["sessions"]
        assert store.list_folders("") == ["runs"]
        assert store.list_folders("nothing/") == []

    def test_an_empty_root_lists_nothing(self, store: Store):
        """Before the first write there is nothing, and looking makes nothing."""
        assert store.list_objects("") == []
        assert store.list_folders("") == []

    @pytest.mark.parametrize("prefix", ["runs", "/", "../", "runs/../", "runs//"])
    def test_refuses_to_list_what_is_no_folder(self, store: Store, prefix: str):
        """A prefix that is not "" or a legal folder is a FormatError."""
        with pytest.raises(FormatError):
            store.list_objects(prefix)
        with pytest.raises(FormatError):
            store.list_folders(prefix)

    def test_deletes_for_good_and_twice(self, store: Store):
        """A deleted object is gone from every answer, its neighbour is not, and deleting again is no error."""
        store.put(KEY, b"x")
        store.put("runs/cats-1f2e3d4c/run.json", b"y")
        store.delete(KEY)
        store.delete(KEY)
        store.delete("never/was.json")
        with pytest.raises(NotFoundError):
            store.get(KEY)
        assert [o.key for o in store.list_objects("")] == ["runs/cats-1f2e3d4c/run.json"]
        store.put(KEY, b"again", expect=ABSENT)
        assert store.get(KEY) == b"again"

    @pytest.mark.parametrize("key", ODD_NAMES)
    def test_takes_odd_but_legal_names(self, store: Store, key: str):
        """Long, deep, dotted and upper-case names come back from a listing as they were written."""
        store.put(key, key.encode())
        assert store.get(key) == key.encode()
        assert [o.key for o in store.list_objects("")] == [key]

    @pytest.mark.parametrize("op", sorted(OPS))
    @pytest.mark.parametrize("key", ESCAPES)
    def test_refuses_keys_that_escape(self, store: Store, op: str, key: str):
        """A key that is no name of the format is refused before anything is touched."""
        with pytest.raises(FormatError):
            OPS[op](store, key)
        assert store.list_objects("") == []

    def test_creates_only_where_nothing_is(self, store: Store):
        """ABSENT succeeds once; the second is a ConflictError and writes nothing."""
        store.put(KEY, b"first", expect=ABSENT)
        with pytest.raises(ConflictError) as caught:
            store.put(KEY, b"second", expect=ABSENT)
        assert caught.value.permanent
        assert caught.value.key == KEY
        assert store.get(KEY) == b"first"

    def test_writes_only_over_the_expected_version(self, store: Store):
        """A stale version is a ConflictError and writes nothing; the current one is replaced."""
        old = store.put(KEY, b"one")
        new = store.put(KEY, b"two", expect=old.version)
        with pytest.raises(ConflictError):
            store.put(KEY, b"three", expect=old.version)
        assert store.get(KEY) == b"two"
        assert store.stat(KEY).version == new.version

    def test_expecting_a_version_of_nothing_conflicts(self, store: Store):
        """A version is not met by an absent object, before it was created or after it was deleted."""
        with pytest.raises(ConflictError):
            store.put(KEY, b"x", expect="no-such-version")
        version = store.put(KEY, b"x").version
        store.delete(KEY)
        with pytest.raises(ConflictError):
            store.put(KEY, b"y", expect=version)
        assert store.list_objects("") == []

    def test_a_conflicting_file_is_not_written(self, store: Store, tmp_path: Path):
        """The same holds for bodies that are streamed."""
        store.put(KEY, b"there")
        (tmp_path / "big").write_bytes(random_bytes(2 * CHUNK_BYTES))
        with pytest.raises(ConflictError):
            store.put(KEY, tmp_path / "big", expect=ABSENT)
        assert store.get(KEY) == b"there"

    def test_one_of_many_writers_wins_each_version(self, store: Store):
        """Twenty threads race to write over each version: exactly one succeeds, all others are told."""
        if not store.properties.compare_and_swap:
            pytest.skip("the store calls its lock advisory")
        store.put(KEY, b"start")
        with ThreadPoolExecutor(20) as pool:
            for round_number in range(3):
                version = store.stat(KEY).version
                bodies = [b"round %d writer %d" % (round_number, i) for i in range(20)]
                barrier = threading.Barrier(20)

                def race(body: bytes, version=version, barrier=barrier) -> bytes | None:
                    barrier.wait()
                    try:
                        store.put(KEY, body, expect=version)
                    except ConflictError:
                        return None
                    return body

                winners = [body for body in pool.map(race, bodies) if body is not None]
                assert len(winners) == 1
                assert store.get(KEY) == winners[0]

    def test_one_of_many_creators_wins(self, store: Store):
        """Of twenty threads that create one key, one succeeds."""
        if not store.properties.unique_keys:
            pytest.skip("a name may exist twice on this store")
        barrier = threading.Barrier(20)

        def create(i: int) -> bool:
            barrier.wait()
            try:
                store.put(KEY, b"%d" % i, expect=ABSENT)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(20) as pool:
            assert sum(pool.map(create, range(20))) == 1

    def test_no_increment_is_lost(self, store: Store):
        """Writers that read, change and swap, and read again on a conflict, add up to every change."""
        if not store.properties.compare_and_swap:
            pytest.skip("the store calls its lock advisory")
        store.put(KEY, b"0 by nobody")

        def increment(writer: int) -> None:
            while True:
                version = store.stat(KEY).version
                value = int(store.get(KEY).split()[0])
                try:
                    store.put(KEY, b"%d by %d" % (value + 1, writer), expect=version)
                except ConflictError:
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(increment, range(12)))
        assert store.get(KEY).startswith(b"12 by ")

    def test_a_reader_never_sees_half(self, store: Store):
        """While an object is replaced again and again, every get and fetch is one whole body."""
        bodies = [bytes([65 + i]) * (200_000 + i) for i in range(4)]
        store.put(KEY, bodies[0])
        done = threading.Event()
        seen: list[bytes] = []

        def read() -> None:
            while not done.is_set():
                seen.append(store.get(KEY))
                seen.append(fetched(store, KEY))

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            try:
                for i in range(40):
                    store.put(KEY, bodies[i % 4])
            finally:
                done.set()
            reader.result()
        assert seen
        assert all(body in bodies for body in seen)

    def test_reports_progress(self, store: Store, tmp_path: Path):
        """`on_progress` grows up to the whole size, in `put` and in `fetch`, and counts an offset in."""
        body = random_bytes(3 * CHUNK_BYTES + 1)
        (tmp_path / "body").write_bytes(body)
        calls: list[tuple[int, int]] = []
        transfer = Transfer(on_progress=lambda sent, total: calls.append((sent, total)))
        threads: set[int] = set()
        watching = replace(transfer, should_stop=lambda: threads.add(threading.get_ident()) or False)
        store.put(KEY, tmp_path / "body", transfer=watching)
        assert calls[-1] == (len(body), len(body))
        assert calls == sorted(calls)
        assert threads == {threading.get_ident()}
        calls.clear()
        fetched(store, KEY, offset=7, transfer=transfer)
        assert calls[-1] == (len(body), len(body))
        assert calls == sorted(calls)
        assert calls[0][0] > 7

    def test_stops_when_asked(self, store: Store, tmp_path: Path):
        """Once `should_stop` is true a `put` raises StoppedError and the old object stays; a `fetch` ends as well."""
        body = random_bytes(4 * CHUNK_BYTES)
        (tmp_path / "body").write_bytes(body)
        store.put(KEY, b"old")
        with pytest.raises(StoppedError) as caught:
            store.put(KEY, tmp_path / "body", transfer=Transfer(should_stop=lambda: True))
        assert caught.value.permanent
        assert store.get(KEY) == b"old"
        assert len(store.list_objects("")) == 1
        store.put(KEY, body)
        with pytest.raises(StoppedError):
            store.fetch(KEY, io.BytesIO(), transfer=Transfer(should_stop=lambda: True))

    def test_a_stopped_put_can_be_repeated(self, store: Store, tmp_path: Path):
        """What a stopped transfer left behind is invisible and does not hinder the next."""
        body = random_bytes(4 * CHUNK_BYTES)
        (tmp_path / "body").write_bytes(body)
        sent: list[int] = []
        transfer = Transfer(on_progress=lambda done, _total: sent.append(done), should_stop=lambda: bool(sent))
        with pytest.raises(StoppedError):
            store.put(KEY, tmp_path / "body", transfer=transfer)
        assert store.list_objects("") == []
        store.put(KEY, tmp_path / "body", expect=ABSENT, transfer=Transfer(token=transfer.token))
        assert fetched(store, KEY) == body

    def test_the_store_has_a_clock(self, store: Store):
        """`now` and `modified` are aware, and an object just written is about as old as nothing."""
        info = store.put(KEY, b"x")
        assert store.now().utcoffset() == timedelta(0)
        assert info.modified.tzinfo is UTC
        assert store.stat(KEY).modified == info.modified
        assert abs(store.now() - info.modified) < timedelta(minutes=5)

    def test_ids_are_promised_honestly(self, store: Store):
        """`new_ids` gives as many different ids as asked where there are ids, and none elsewhere."""
        ids = store.new_ids(3)
        assert len(set(ids)) == len(ids) == (3 if store.properties.has_ids else 0)

    def test_objects_answer_to_their_id(self, store: Store):
        """Where there are ids: a pre-made id is kept, reads by it, and the same bytes under it again are no twin."""
        if not store.properties.has_ids:
            pytest.skip("the store has no ids")
        (new_id,) = store.new_ids(1)
        first = store.put(KEY, b"body", store_id=new_id)
        again = store.put(KEY, b"body", store_id=new_id)
        assert first.id == again.id == new_id
        assert store.get(KEY, store_id=new_id) == b"body"
        assert store.stat(KEY, store_id=new_id).id == new_id
        assert [o.id for o in store.list_objects("")] == [new_id]

    def test_the_url_tells_where_it_is(self, store: Store):
        """`url` is text without credentials, and closing twice is fine."""
        assert store.url
        assert "@" not in store.url
        store.close()
        store.close()
