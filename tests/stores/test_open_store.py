"""URLs and paths that name a store, and those that name none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batonpass.core.errors import UsageError
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore
from batonpass.sync.stores.memory import MemoryStore


def test_a_path_is_a_folder(tmp_path, monkeypatch):
    """As text, as a Path, relative, with a tilde, and as a file URL with escapes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    expected = str(tmp_path / "my runs")
    for url in ("my runs", Path("my runs"), "./my runs", "~/my runs", expected, (tmp_path / "my runs").as_uri()):
        store = open_store(url)
        assert isinstance(store, FolderStore)
        assert store.url == expected
    assert not (tmp_path / "my runs").exists()


def test_memory_is_shared_by_name(request):
    """Two stores of one name hold the same objects, of two names not."""
    name = request.node.name
    open_store(f"memory://{name}").put("a.json", b"x")
    again = open_store(f"memory://{name}")
    assert isinstance(again, MemoryStore)
    assert again.get("a.json") == b"x"
    assert open_store(f"memory://{name}-other").list_objects("") == []


@pytest.mark.parametrize("url", ["s3://bucket/x", "http://example.org", "MEMORY2://x", "g-drive://x"])
def test_an_unknown_scheme_names_what_exists(url):
    """UsageError, with the schemes of today in the hint."""
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "memory://" in caught.value.hint
    assert "gdrive://" in caught.value.hint


@pytest.mark.parametrize("url", ["", Path(), "memory://", "memory://a/b", "file://server/share"])
def test_a_url_that_names_no_store_is_refused(url):
    """UsageError with a hint."""
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert caught.value.hint


def test_a_drive_letter_is_not_a_scheme():
    """A path that begins with one letter and a colon is a path; on this system an odd one, but a folder's."""
    assert isinstance(open_store(r"C:\runs"), FolderStore)
    assert isinstance(open_store("C:/runs"), FolderStore)


def test_opening_a_folder_loads_nothing_heavy():
    """No Google client, no torch, no pyarrow, no numpy, no scheduler."""
    code = (
        "import sys; from batonpass.sync.stores import open_store; open_store('/nowhere').list_objects('');"
        "import batonpass.sync.copying, batonpass.sync.agent, batonpass.sync.root, batonpass.sync.stores.retry;"
        "print([m for m in ('torch','pyarrow','numpy','googleapiclient','apscheduler','pydrive2') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"
