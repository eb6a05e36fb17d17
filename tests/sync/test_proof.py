"""What a store's answer proves about bytes whose md5 may not be known."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from batonpass.core.errors import StoreError
from batonpass.core.storage import ObjectInfo
from batonpass.sync.proof import compare, prove
from batonpass.sync.stores.memory import MemoryStore

BODY = b"weights"
SHA256, MD5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()


@pytest.mark.parametrize(
    ("sha256", "md5", "known_md5", "same"),
    [
        (SHA256, None, "", True),
        (SHA256, "0", "", True),
        ("0", MD5, MD5, False),
        (None, MD5, MD5, True),
        (None, "0", MD5, False),
        (None, MD5, "", None),
        (None, None, MD5, None),
    ],
)
def test_an_answer_that_cannot_be_compared_is_neither_yes_nor_no(sha256, md5, known_md5, same):
    info = ObjectInfo("a", len(BODY), "1", datetime.now(UTC), md5=md5, sha256=sha256)
    assert compare(info, size_bytes=len(BODY), sha256=SHA256, md5=known_md5) is same
    assert compare(info, size_bytes=len(BODY) + 1, sha256=SHA256, md5=known_md5) is False


def test_a_store_that_answers_with_an_unknown_md5_alone_is_asked_again_and_nothing_is_called_damaged():
    class OnlyMd5(MemoryStore):
        def checksum(self, key, *, store_id=None):
            return replace(super().checksum(key, store_id=store_id), sha256=None)

    store = OnlyMd5("only-md5")
    store.put("a", BODY)
    with pytest.raises(StoreError, match="no checksum that could be compared"):
        prove(store, "a", size_bytes=len(BODY), sha256=SHA256, md5="")
    assert prove(store, "a", size_bytes=len(BODY), sha256=SHA256, md5=MD5)
