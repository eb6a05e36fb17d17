"""A mounted Drive that made copies because two machines wrote one file: said within a tick, once, and shown as long as they lie there."""

from __future__ import annotations

import pytest
from legs import Leg

from batonpass.sync.mounts import NAMED, Mount
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def one(tmp_path):
    point = tmp_path / "mount"
    point.mkdir()
    mount = Mount(point, point, NAMED)
    (point / "another file").write_text("so that the mount is there")
    store = FolderStore(point / "batonpass", mount=mount, lock_file=tmp_path / "store.lock")
    leg = Leg(store, tmp_path / "home")
    yield leg
    leg.die()


def test_copies_of_the_head_are_said_within_a_tick_and_once(one, tmp_path):
    run = tmp_path / "mount" / "batonpass" / one.joined.folder
    assert one.active.service.publish_now()
    assert one.active.status().conflicts == ()
    (run / "head (1).json").write_bytes((run / "head.json").read_bytes())
    for _ in range(3):
        assert one.active.service.publish_now()
    assert one.active.status().conflicts == ("head (1).json",)
    assert sum("made copies" in line for line in one.said) == 1
    (run / "head (1).json").unlink()
    assert one.active.service.publish_now()
    assert one.active.status().conflicts == ()


def test_a_copy_of_a_sessions_file_is_seen_too(one, tmp_path):
    sessions = tmp_path / "mount" / "batonpass" / one.joined.folder / "sessions"
    (sessions / f"{one.joined.session} (1).json").write_bytes(b"{}")
    assert one.active.service.publish_now()
    assert one.active.status().conflicts == (f"{one.joined.session} (1).json",)


def test_on_a_plain_disk_nothing_is_looked_for(tmp_path):
    store = FolderStore(tmp_path / "disk")
    leg = Leg(store, tmp_path / "home")
    (tmp_path / "disk" / leg.joined.folder / "head (1).json").write_bytes(b"{}")
    assert leg.active.service.publish_now()
    assert leg.active.status().conflicts == ()
    leg.die()
