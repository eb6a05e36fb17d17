"""The root: found, made, refused, and never made by mistake."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from stores.faults import Fault, FaultyStore

from batonpass.core import naming
from batonpass.core.errors import FormatError, NotFoundError, NotOurFolderError, StoreUnreachableError
from batonpass.sync.root import open_root
from batonpass.sync.stores import open_store


def test_an_empty_store_becomes_ours_once(store):
    """The first opening with `create` makes the root, every later one finds the same."""
    made = open_root(store, create=True)
    assert open_root(store, create=True) == open_root(store, create=False) == made
    assert open_root(store, create=False, root_id=made.root_id) == made
    assert "batonpass" in made.client


def test_looking_creates_nothing(store):
    """Without `create` an empty store is NotFoundError and stays empty."""
    with pytest.raises(NotFoundError):
        open_root(store, create=False)
    assert store.list_objects("") == []


def test_creators_at_once_get_one_root(store):
    """Ten that create at the same moment all hold the same root afterwards."""
    if not store.properties.unique_keys:
        pytest.skip("a name may exist twice on this store")
    barrier = threading.Barrier(10)

    def create(_: int) -> str:
        barrier.wait()
        return open_root(store, create=True).root_id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(create, range(10)))) == 1


def test_another_root_than_asked_is_refused_by_name(store):
    """Both ids are in the message, and the hint asks about the account."""
    made = open_root(store, create=True)
    with pytest.raises(NotOurFolderError, match=rf"{made.root_id}.*0123456789ab") as caught:
        open_root(store, create=True, root_id="0123456789ab")
    assert "account" in caught.value.hint


def test_an_old_root_is_never_made_anew(store):
    """Asked for by id and not there: nothing is created even where `create` is allowed."""
    with pytest.raises(NotOurFolderError, match="0123456789ab"):
        open_root(store, create=True, root_id="0123456789ab")
    assert store.list_objects("") == []


@pytest.mark.parametrize("name", ["holiday.jpg", "My thesis/chapter (1).docx"])
def test_a_folder_with_other_files_is_not_ours(tmp_path, name):
    """It is refused with the name of a folder that would do, and nothing is written into it."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(NotOurFolderError) as caught:
        open_root(open_store(tmp_path), create=True)
    assert str(tmp_path / "batonpass") in caught.value.hint
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()] == [name]


def test_hidden_and_system_files_do_not_make_a_folder_somebodys(tmp_path):
    """What the system itself leaves in a new folder does not count."""
    for name in (".DS_Store", "desktop.ini", ".hidden"):
        (tmp_path / name).touch()
    assert open_root(open_store(tmp_path), create=True).root_id


@pytest.mark.parametrize("op", ["get", "list_folders", "list_objects"])
def test_an_unreachable_store_is_never_new(memory, op):
    """Whichever question stays without an answer, no root is made."""
    faulty = FaultyStore(memory, [Fault(op)])
    with pytest.raises(StoreUnreachableError):
        open_root(faulty, create=True)
    assert memory.list_objects("") == []


def test_a_damaged_root_is_left_as_it_is(memory):
    """A `batonpass.json` that cannot be read is a FormatError, not a reason for a new one."""
    memory.put(naming.ROOT_FILE, b"{")
    with pytest.raises(FormatError):
        open_root(memory, create=True)
    assert memory.get(naming.ROOT_FILE) == b"{"
