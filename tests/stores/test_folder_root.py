"""A folder store whose folder is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from batonpass.core.errors import StoreUnreachableError
from batonpass.sync.stores import open_store


def test_a_file_in_the_folders_place_is_no_empty_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    store = open_store(str(tmp_path / "store"))
    for ask in (
        lambda: store.list_folders("runs/"),
        lambda: store.list_objects("runs/"),
        lambda: store.get("batonpass.json"),
        lambda: store.stat("batonpass.json"),
    ):
        with pytest.raises(StoreUnreachableError, match="is a file") as caught:
            ask()
        assert "folder" in caught.value.hint


def test_a_folder_that_is_not_there_yet_is_an_empty_store(tmp_path: Path) -> None:
    assert open_store(str(tmp_path / "store")).list_folders("runs/") == []
