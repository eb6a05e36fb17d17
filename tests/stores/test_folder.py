"""What only a folder can get wrong: real processes, real kills, leftovers, links, full and dead disks."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stores.suite import KEY, random_bytes

from batonpass.core.errors import (
    ConflictError,
    NotFoundError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from batonpass.core.files import TEMP_PREFIX
from batonpass.sync.stores import folder as folder_module
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import LOCK_FILE, FolderStore
from batonpass.sync.stores.folder_lock import hold_lock
from batonpass.sync.stores.os_errors import store_error

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX limits and signals")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "batonpass"


@pytest.fixture
def folder(root: Path) -> FolderStore:
    return FolderStore(root)


def start(code: str, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def hidden(root: Path) -> list[str]:
    return [p.name for p in root.rglob(".*") if p.name != LOCK_FILE]


def test_a_killed_writer_leaves_the_old_object_or_the_new(folder, root):
    """SIGKILL in the middle of writes, many times: what is there is whole, and what is unfinished is never listed."""
    bodies = {bytes([65 + i]) * 3_000_000 for i in range(3)}
    code = """
        import itertools, sys
        from batonpass.sync.stores import open_store
        store = open_store(sys.argv[1])
        for i in itertools.count():
            store.put("files/a.bin", bytes([65 + i % 3]) * 3_000_000)
            print(i, flush=True)
    """
    torn, rounds = 0, 0
    while torn < 3 and rounds < 60:
        rounds += 1
        before = len(hidden(root))
        writer = start(code, root)
        assert writer.stdout is not None
        writer.stdout.readline()
        while len(hidden(root)) == before and writer.poll() is None:
            pass  # until it is inside a write
        writer.kill()
        writer.communicate()
        torn += len(hidden(root)) > before
        assert folder.get("files/a.bin") in bodies
        assert [o.key for o in folder.list_objects("")] == ["files/a.bin"]
        assert folder.list_folders("") == ["files"]
    assert torn >= 3, "no kill landed inside a write, so this test has shown nothing"


def test_processes_that_swap_lose_nothing(folder, root):
    """Three processes increment one number by compare-and-swap: every increment counts."""
    folder.put(KEY, b"0 -")
    code = """
        import sys
        from batonpass.core.errors import ConflictError
        from batonpass.sync.stores import open_store
        store, key, who = open_store(sys.argv[1]), sys.argv[2], sys.argv[3]
        for _ in range(10):
            while True:
                version = store.stat(key).version
                value = int(store.get(key).split()[0])
                try:
                    store.put(key, f"{value + 1} {who}".encode(), expect=version)
                    break
                except ConflictError:
                    pass
    """
    writers = [start(code, root, KEY, i) for i in range(3)]
    for writer in writers:
        assert writer.wait() == 0, writer.communicate()[1].decode()
        writer.communicate()
    assert folder.get(KEY).split()[0] == b"30"


def test_the_lock_of_a_killed_process_is_free(folder, root):
    """A lock ends with its process, however that dies."""
    code = """
        import sys, time
        from pathlib import Path
        from batonpass.sync.stores.folder_lock import hold_lock
        with hold_lock(Path(sys.argv[1])):
            print("held", flush=True)
            time.sleep(600)
    """
    holder = start(code, root / LOCK_FILE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(StoreUnreachableError, match="another process"), hold_lock(root / LOCK_FILE, timeout_s=0.05):
        pass
    holder.kill()
    holder.communicate()
    folder.put(KEY, b"x")


def test_unfinished_files_go_once_they_are_old(root):
    """A dead writer's leftover stays while it is young, and goes at a later write into that folder."""
    leftover = root / "files" / f"{TEMP_PREFIX}dead"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    FolderStore(root).put("files/a.bin", b"x")
    assert leftover.exists()
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    FolderStore(root, now=lambda: tomorrow).put("files/b.bin", b"x")
    assert not leftover.exists()


def test_a_failed_put_leaves_nothing_behind(folder, root, tmp_path):
    """Conflicts and unreadable bodies leave no hidden file."""
    folder.put(KEY, b"x")
    for body, expect in ((b"y", "absent"), (tmp_path / "gone", None)):
        with pytest.raises(StoreError):
            folder.put(KEY, body, expect=expect)
    assert hidden(root) == []


def test_a_deleted_objects_empty_folders_go_too(folder, root):
    """A forgotten run leaves no empty folders; the root itself stays."""
    folder.put("runs/cats-1f2e3d4c/sessions/s.json", b"x")
    folder.put("runs/dogs-1f2e3d4d/run.json", b"x")
    folder.delete("runs/cats-1f2e3d4c/sessions/s.json")
    assert folder.list_folders("runs/") == ["dogs-1f2e3d4d"]
    folder.delete("runs/dogs-1f2e3d4d/run.json")
    assert root.is_dir()
    assert folder.list_objects("") == []


def test_looking_creates_nothing(folder, root):
    """Reading, listing and deleting in a folder that does not exist does not make it."""
    folder.list_objects("")
    folder.delete(KEY)
    with pytest.raises(NotFoundError):
        folder.get(KEY)
    assert not root.exists()


def test_links_are_neither_followed_nor_listed(folder, root, tmp_path):
    """A link inside the root could lead anywhere: it is refused for reading, writing and deleting."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.json").write_text("private")
    folder.put("runs/a.json", b"x")
    (root / "files").symlink_to(secret, target_is_directory=True)
    (root / "runs" / "link.json").symlink_to(secret / "key.json")
    for key in ("files/key.json", "runs/link.json"):
        for op in (folder.get, folder.stat, folder.delete, lambda k: folder.put(k, b"over")):
            with pytest.raises(StoreError, match="link"):
                op(key)
    assert [o.key for o in folder.list_objects("")] == ["runs/a.json"]
    assert folder.list_folders("") == ["runs"]
    assert (secret / "key.json").read_text() == "private"


def test_a_disk_that_vanishes_is_unreachable_not_empty(folder, root, tmp_path):
    """The folder was there and is gone (unplugged): nothing is "not found", and nothing is made in its place."""
    folder.put(KEY, b"x")
    root.rename(tmp_path / "unplugged")
    for op in (
        lambda: folder.get(KEY),
        lambda: folder.list_objects(""),
        lambda: folder.stat("never/was.json"),
        lambda: folder.put(KEY, b"y"),
        lambda: folder.delete(KEY),
    ):
        with pytest.raises(StoreUnreachableError):
            op()
    assert not root.exists()
    (tmp_path / "unplugged").rename(root)
    assert folder.get(KEY) == b"x"


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN])
def test_a_dead_mount_is_never_not_found(folder, monkeypatch, number):
    """Whatever a dead file system answers, every reading operation says "unreachable", which may be tried again."""
    folder.put(KEY, b"x")

    def dead(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder_module, "describe", dead)
    monkeypatch.setattr(Path, "read_bytes", dead)
    monkeypatch.setattr(Path, "open", dead)
    for op in (folder.stat, folder.checksum, folder.get, lambda key: folder.fetch(key, io.BytesIO())):
        with pytest.raises(StoreUnreachableError) as caught:
            op(KEY)
        assert not caught.value.permanent
        assert caught.value.hint
    with pytest.raises(StoreUnreachableError):
        folder.list_objects("")


@pytest.mark.parametrize(
    ("number", "kind", "permanent"),
    [
        (errno.ENOSPC, StoreFullError, True),
        (errno.EDQUOT, StoreFullError, True),
        (errno.EFBIG, StoreFullError, True),
        (errno.EACCES, StoreError, True),
        (errno.EROFS, StoreError, True),
        (errno.ENAMETOOLONG, StoreError, True),
        (errno.ENOTCONN, StoreUnreachableError, False),
        (errno.EIO, StoreUnreachableError, False),
        (errno.EMFILE, StoreUnreachableError, False),
    ],
)
def test_every_system_error_has_its_place(number, kind, permanent):
    """Full, forbidden, impossible and unreachable are told apart, each with a hint and the operation."""
    error = store_error(OSError(number, os.strerror(number)), op="put", key=KEY, place="/x")
    assert type(error) is kind
    assert (error.permanent, error.op, error.key) == (permanent, "put", KEY)
    assert error.hint


@posix_only
def test_a_full_disk_keeps_the_old_object(root):
    """The system really refuses the bytes: StoreFullError, the old object whole, no leftovers."""
    code = """
        import resource, signal, sys
        from batonpass.core.errors import StoreFullError
        from batonpass.sync.stores import open_store
        store = open_store(sys.argv[1])
        store.put("a.bin", b"old")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        try:
            store.put("a.bin", bytes(3_000_000))
        except StoreFullError as error:
            print(error.hint)
    """
    writer = start(code, root)
    out, err = writer.communicate()
    assert writer.returncode == 0, err.decode()
    assert b"make room" in out
    assert (root / "a.bin").read_bytes() == b"old"
    assert hidden(root) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions hold back")
def test_a_read_only_folder_says_so(folder, root):
    """Writing is refused with a hint; reading still works."""
    folder.put(KEY, b"x")
    (root / "runs" / "cats-1f2e3d4c").chmod(0o500)
    try:
        with pytest.raises(StoreError, match="denied") as caught:
            folder.put(KEY, b"y")
        assert "permissions" in caught.value.hint
        assert folder.get(KEY) == b"x"
    finally:
        (root / "runs" / "cats-1f2e3d4c").chmod(0o700)


def test_a_folder_where_an_object_belongs_is_told(folder, root):
    """Somebody made a folder of that name: writing is a final error, and the folder stays."""
    (root / "runs" / "head.json").mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        folder.put("runs/head.json", b"x")
    assert caught.value.permanent
    assert (root / "runs" / "head.json").is_dir()
    assert hidden(root) == []


def test_versions_of_large_objects_change_as_well(folder, tmp_path):
    """Above 1 MB too, two bodies of one size have two versions, and a stale one conflicts."""
    versions = []
    for seed in range(3):
        (tmp_path / "body").write_bytes(random_bytes(2_000_000, seed))
        versions.append(folder.put("files/a.bin", tmp_path / "body").version)
    assert len(set(versions)) == 3
    with pytest.raises(ConflictError):
        folder.put("files/a.bin", b"x", expect=versions[0])


def test_the_checksum_sees_what_the_disk_holds(folder, root):
    """A byte flipped behind the store's back changes the checksum, though size and name are the same."""
    body = random_bytes(2_000_000)
    folder.put("files/a.bin", body)
    before = folder.checksum("files/a.bin")
    with (root / "files" / "a.bin").open("r+b") as file:
        file.seek(1_000_000)
        file.write(bytes([body[1_000_000] ^ 1]))
    after = folder.checksum("files/a.bin")
    assert after.size_bytes == before.size_bytes
    assert after.sha256 != before.sha256


def test_a_url_opens_the_same_folder_again(folder):
    """What `url` says, `open_store` opens."""
    folder.put(KEY, b"x")
    assert open_store(folder.url).get(KEY) == b"x"
