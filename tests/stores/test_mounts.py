"""Folders under a mounted Drive: recognised, never written to while the Drive is not there, and honest about what they prove."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores.suite import KEY

from batonpass.core import naming
from batonpass.core.errors import NotFoundError, NotOurFolderError, StoreUnreachableError
from batonpass.core.settings import Settings
from batonpass.sync.mounts import COLAB, DESKTOP, NAMED, Mount, conflict_of, conflicts, find_mount
from batonpass.sync.root import open_root
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def point(tmp_path: Path) -> Path:
    return tmp_path / "drive"


@pytest.fixture
def settings(tmp_path: Path, point: Path) -> Settings:
    return Settings(home=tmp_path / "home", mount_points=(point,))


@pytest.mark.parametrize(
    ("path", "kind", "point", "floor"),
    [
        ("/content/drive/MyDrive/batonpass", COLAB, "/content/drive", "/content/drive/MyDrive"),
        ("/content/drive/MyDrive", COLAB, "/content/drive", "/content/drive/MyDrive"),
        ("/content/gdrive/My Drive/a/b", COLAB, "/content/gdrive", "/content/gdrive/My Drive"),
        ("/content/mine/MyDrive/batonpass", COLAB, "/content/mine", "/content/mine/MyDrive"),
        ("/content/drive/Shareddrives/lab/runs", COLAB, "/content/drive", "/content/drive/Shareddrives/lab"),
        ("/content/x/../drive/MyDrive/b", COLAB, "/content/drive", "/content/drive/MyDrive"),
        ("/users/me/Google Drive/runs", DESKTOP, "/users/me/Google Drive", "/users/me/Google Drive"),
        (
            "/users/me/Library/CloudStorage/GoogleDrive-me@x.org/My Drive/batonpass",
            DESKTOP,
            "/users/me/Library/CloudStorage/GoogleDrive-me@x.org",
            "/users/me/Library/CloudStorage/GoogleDrive-me@x.org/My Drive",
        ),
    ],
)
def test_known_mounts_are_recognised_by_path(path, kind, point, floor):
    """Whether or not anything is there, and without asking the file system."""
    mount = find_mount(Path(path), home=Path("/users/me"))
    assert mount is not None
    assert (mount.kind, mount.point, mount.floor) == (kind, Path(point), Path(floor))


@pytest.mark.parametrize(
    "path",
    [
        "/content/batonpass",
        "/content/drives/x",
        "/users/me/runs",
        "/users/me/Library/CloudStorage/Dropbox/x",
        "/content",
    ],
)
def test_ordinary_folders_are_no_mounts(path):
    """Names that only resemble a mount's are folders like any other."""
    assert find_mount(Path(path), home=Path("/users/me")) is None


def test_a_windows_drive_letter_with_my_drive_is_a_mount():
    """As Drive for desktop shows it on Windows; any other drive letter is a disk."""
    from batonpass.sync.mounts import windows_point

    assert windows_point(PureWindowsPath(r"G:\My Drive\batonpass")) == PureWindowsPath("G:\\")
    assert windows_point(PureWindowsPath(r"G:\Shared drives\lab\batonpass")) == PureWindowsPath("G:\\")
    assert windows_point(PureWindowsPath(r"D:\runs")) is None
    assert windows_point(PureWindowsPath("/content/My Drive")) is None


def test_named_mount_points_come_first(tmp_path):
    """What BATONPASS_MOUNT_POINTS names is a mount wherever it lies."""
    mount = find_mount(tmp_path / "synced" / "runs", [tmp_path / "synced"])
    assert mount is not None
    assert (mount.kind, mount.floor) == (NAMED, tmp_path / "synced")


def test_a_colab_folder_made_before_mounting_is_not_live(tmp_path):
    """A folder of that name with files in it, but no mount behind it, is refused with the line that mounts."""
    fake = tmp_path / "content" / "drive"
    (fake / "MyDrive" / "batonpass").mkdir(parents=True)
    mount = Mount(fake, fake / "MyDrive", COLAB)
    with pytest.raises(NotOurFolderError) as caught:
        mount.require_live()
    assert "drive.mount" in caught.value.hint
    Mount(fake, fake / "MyDrive", COLAB, is_mount=lambda _: True).require_live()
    store = FolderStore(fake / "MyDrive" / "batonpass", mount=mount, lock_file=tmp_path / "lock")
    for op in (lambda: store.put(KEY, b"x"), lambda: store.get(KEY), lambda: store.list_objects("")):
        with pytest.raises(NotOurFolderError):
            op()
    assert list(fake.rglob("*")) == [fake / "MyDrive", fake / "MyDrive" / "batonpass"]


@pytest.mark.parametrize("before", ["nothing there", "an empty folder", "another account's Drive"])
def test_nothing_is_created_above_the_drive(point, settings, before):
    """A mount that is not there, is empty, or lacks MyDrive: every operation stops, and nothing is made."""
    if before != "nothing there":
        point.mkdir()
    if before == "another account's Drive":
        (point / "Othercomputers").mkdir()
    there = set(point.rglob("*"))
    store = open_store(point / "MyDrive" / "batonpass", settings)
    with pytest.raises(NotOurFolderError):
        open_root(store, create=True)
    with pytest.raises(NotOurFolderError):
        store.put(KEY, b"x")
    with pytest.raises(NotOurFolderError):
        store.delete(KEY)
    assert set(point.rglob("*")) == there
    assert point.exists() == (before != "nothing there")


def test_a_mount_that_dies_is_unreachable(point, settings, tmp_path):
    """Once the store was seen, its mount's absence may pass: unreachable, and nothing is created in its place."""
    (point / "MyDrive").mkdir(parents=True)
    store = open_store(point / "MyDrive" / "batonpass", settings)
    open_root(store, create=True)
    point.rename(tmp_path / "gone")
    point.mkdir()
    for op in (lambda: store.put(KEY, b"x"), lambda: store.get(naming.ROOT_FILE), lambda: store.list_objects("")):
        with pytest.raises(StoreUnreachableError):
            op()
    assert list(point.iterdir()) == []


def test_a_dead_mount_is_unreachable_from_the_first_call(tmp_path):
    """A mount whose server is gone is neither "not mounted" nor "new"."""

    def dead(_: Path) -> bool:
        raise OSError(107, "Transport endpoint is not connected")

    (tmp_path / "MyDrive").mkdir()
    mount = Mount(tmp_path, tmp_path / "MyDrive", COLAB, is_mount=dead)
    with pytest.raises(StoreUnreachableError):
        FolderStore(tmp_path / "MyDrive" / "b", mount=mount, lock_file=tmp_path / "lock").list_objects("")


def test_a_mounted_store_promises_little(point, settings):
    """Arrival is not proven and locks are advisory there; an ordinary folder promises both."""
    (point / "MyDrive").mkdir(parents=True)
    mounted = open_store(point / "MyDrive" / "batonpass", settings).properties
    assert (mounted.proves_arrival, mounted.compare_and_swap) == (False, False)
    plain = open_store(point.parent / "plain", settings).properties
    assert (plain.proves_arrival, plain.compare_and_swap) == (True, True)


def test_locks_are_not_sent_to_the_drive(point, settings):
    """The lock of a mounted store lies in this machine's home; on the Drive there is only the object."""
    (point / "MyDrive").mkdir(parents=True)
    store = open_store(point / "MyDrive" / "batonpass", settings)
    store.put("a.json", b"x")
    assert [p.name for p in point.rglob("*") if p.is_file()] == ["a.json"]
    assert list((settings.home / "locks").iterdir())


def test_deleting_on_a_mount_truncates_first(point, settings, monkeypatch):
    """What goes to the Drive's trash holds no bytes."""
    (point / "MyDrive").mkdir(parents=True)
    store = open_store(point / "MyDrive" / "batonpass", settings)
    store.put(KEY, b"many bytes")
    sizes = []
    real_unlink = Path.unlink

    def unlink(path, **options):
        if path.name == "head.json":
            sizes.append(path.stat().st_size)
        real_unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    store.delete(KEY)
    assert sizes == [0]
    with pytest.raises(NotFoundError):
        store.get(KEY)


def test_conflict_copies_are_found(tmp_path):
    """The names that syncing programs give to a second version are told from ours."""
    odd = [
        "head (1).json",
        "head - Copy.json",
        "head - Copy (2).json",
        "head [Conflict].json",
        "head (conflicted copy).json",
    ]
    ours = ["head.json", "run.json", "20261123t080000-aaaaaa.json", "100-model-abababab.safetensors", "README.txt"]
    for name in (*odd, *ours):
        (tmp_path / name).touch()
    assert conflicts(tmp_path) == sorted(odd)
    assert {conflict_of(name) for name in odd} == {"head.json"}


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,40}", fullmatch=True))
def test_no_name_of_the_format_looks_like_a_conflict_copy(name):
    """The format's own names never do, whatever they are."""
    assert conflict_of(name) is None
