"""Files that survive a crash, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core import files
from batonpass.core.files import Hasher, durable_rename, hash_bytes, hash_file, make_folders, write_durably


@given(st.lists(st.binary(max_size=100)))
def test_one_pass_gives_both_hashes(parts):
    """However the bytes are cut, the digest is that of the whole."""
    hasher = Hasher()
    for i, part in enumerate(parts):
        hasher.update(memoryview(part) if i % 2 else part)
    whole = b"".join(parts)
    assert hasher.digest() == hash_bytes(whole)
    assert hasher.digest().sha256 == hashlib.sha256(whole).hexdigest()
    assert hasher.digest().md5 == hashlib.md5(whole).hexdigest()
    assert hasher.digest().size_bytes == len(whole)


def test_a_view_of_wide_items_is_counted_in_bytes():
    """The size is in bytes even where the view's items are wider."""
    hasher = Hasher()
    hasher.update(memoryview(bytes(16)).cast("d"))
    assert hasher.digest() == hash_bytes(bytes(16))


def test_a_file_is_hashed_through_a_small_buffer(tmp_path):
    """Over several chunks, the same as in memory."""
    body = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(body)
    assert hash_file(tmp_path / "file") == hash_bytes(body)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    """When the sync to disk fails, the old bytes are there and no leftover is."""
    target = tmp_path / "file"
    write_durably(target, b"old")

    def fail(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync_file", fail)
    with pytest.raises(OSError, match="No space"):
        write_durably(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_whole_folder_gets_its_name_at_once(tmp_path):
    """Folders are renamed as files are, from one parent into another."""
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "a").write_bytes(b"x")
    (tmp_path / "done").mkdir()
    durable_rename(tmp_path / "unfinished", tmp_path / "done" / "100")
    assert (tmp_path / "done" / "100" / "a").read_bytes() == b"x"
    assert not (tmp_path / "unfinished").exists()


@pytest.mark.parametrize("refusals", [0, 3, 9])
def test_windows_refusals_are_waited_out(refusals):
    """A file that another program has open for a moment is replaced a moment later."""
    waits: list[float] = []
    left = [refusals]

    def replace(*_):
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "in use")

    files.replace_patiently(Path("a"), Path("b"), replace=replace, sleep=waits.append)
    assert len(waits) == refusals
    assert sum(waits) < 2.5


def test_windows_refusals_that_stay_are_told():
    """After about two seconds the system's own error comes through."""

    def replace(*_):
        raise PermissionError(13, "in use")

    with pytest.raises(PermissionError):
        files.replace_patiently(Path("a"), Path("b"), replace=replace, sleep=lambda _: None)


def test_folders_are_made_down_from_the_floor_only(tmp_path):
    """What somebody else must provide is never created."""
    make_folders(tmp_path / "a" / "b" / "c", floor=tmp_path)
    assert (tmp_path / "a" / "b" / "c").is_dir()
    make_folders(tmp_path / "a" / "b" / "c", floor=tmp_path)
    with pytest.raises(FileNotFoundError):
        make_folders(tmp_path / "mount" / "MyDrive" / "batonpass", floor=tmp_path / "mount" / "MyDrive")
    assert not (tmp_path / "mount").exists()
