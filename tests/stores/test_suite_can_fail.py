"""Negative controls: stores broken on purpose, each caught by the test of the contract that is there for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from stores.suite import StoreContract

from batonpass.core.errors import NotFoundError
from batonpass.core.storage import ObjectInfo, Transfer
from batonpass.sync.stores.folder import FolderStore
from batonpass.sync.stores.memory import MemoryStore

CONTRACT = StoreContract()


class IgnoresExpect(MemoryStore):
    def put(self, key, body, *, expect=None, **options) -> ObjectInfo:
        return super().put(key, body, **options)


class ChecksThenWrites(MemoryStore):
    """Looks at the version and writes later: the race that compare-and-swap forbids."""

    def put(self, key, body, *, expect=None, **options) -> ObjectInfo:
        if expect is not None:
            if self.stat(key).version != expect:
                return super().put(key, body, expect=expect, **options)
            time.sleep(0.001)
        return super().put(key, body, **options)


class WritesInPlace(FolderStore):
    def put(self, key, body, **options) -> ObjectInfo:
        info = super().put(key, body, **options)
        with (self.root / key).open("wb") as file:
            for i in range(0, len(body), 1000):
                file.write(body[i : i + 1000])
                file.flush()
        return info


class FollowsDots(MemoryStore):
    def get(self, key, **options) -> bytes:
        return super().get(os.path.normpath(key), **options)


class CutsFetchesShort(MemoryStore):
    def fetch(self, key, to, *, offset=0, transfer: Transfer | None = None, **options) -> int:
        return super().fetch(key, to, transfer=transfer, **options)


class ListsByNameBeginnings(MemoryStore):
    def list_objects(self, prefix) -> list[ObjectInfo]:
        return [info for info in super().list_objects("") if info.key.startswith(prefix.rstrip("/"))]


class InventsEmptyObjects(MemoryStore):
    def get(self, key, **options) -> bytes:
        try:
            return super().get(key, **options)
        except NotFoundError:
            return b""


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (IgnoresExpect, CONTRACT.test_creates_only_where_nothing_is),
        (IgnoresExpect, CONTRACT.test_writes_only_over_the_expected_version),
        (ChecksThenWrites, CONTRACT.test_one_of_many_writers_wins_each_version),
        (FollowsDots, lambda store: CONTRACT.test_refuses_keys_that_escape(store, "get", "a/./b")),
        (CutsFetchesShort, lambda store: CONTRACT.test_fetches_from_an_offset(store, 1)),
        (ListsByNameBeginnings, CONTRACT.test_lists_objects_under_a_folder),
        (InventsEmptyObjects, lambda store: CONTRACT.test_says_when_nothing_is_there(store, "get")),
        (InventsEmptyObjects, CONTRACT.test_deletes_for_good_and_twice),
    ],
)
def test_a_broken_store_is_caught(kind, check, request):
    """The check that passes on every real store fails on this one."""
    with pytest.raises((AssertionError, pytest.fail.Exception, NotFoundError)):
        check(kind(request.node.name))


def test_a_store_that_writes_in_place_is_caught(tmp_path: Path):
    """A reader does meet half an object where it is not replaced as a whole."""
    with pytest.raises(AssertionError):
        CONTRACT.test_a_reader_never_sees_half(WritesInPlace(tmp_path))
