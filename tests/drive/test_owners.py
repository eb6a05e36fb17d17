"""Who owns and pays for the bytes, in the two set-ups that differ: one owner's token everywhere, and a folder shared between accounts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import requests
from legs import host, leg

from batonpass.core.codec import encode
from batonpass.core.errors import StoreError
from batonpass.core.model import Root
from batonpass.core.owners import bytes_by_owner
from batonpass.core.settings import Settings
from batonpass.sync.doctor import diagnose
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.verifying import verify_run


@pytest.fixture
def shared(drive, drive_settings, emulator, account, tmp_path):
    """Ann's root, shared with bob, each with a token of their own; the root's address, bob's e-mail and his settings."""
    drive.put("batonpass.json", encode(Root("0123456789ab", drive.now())))
    root = next(f for f in emulator.files("batonpass") if f["owner"] == account)
    bob = account.replace("ann-", "bob-")
    drive.credential.ensure_fresh()
    requests.post(
        f"{emulator.url}drive/v2/files/{root['id']}/permissions",
        json={"value": bob, "role": "writer", "type": "user"},
        headers={"Authorization": f"Bearer {drive.credential.google.token}"},
        timeout=10,
    ).raise_for_status()
    settings = Settings(tmp_path / "bob", drive_token=emulator.token(bob), drive_endpoint=emulator.url)
    return f"gdrive://id:{root['id']}", bob, settings


@pytest.fixture
def relay(shared, drive_settings, open_drive):
    """A leg by ann with 100 bytes, then one by bob with 5000."""
    url, _, bobs = shared
    with leg(open_drive(drive_settings, url), drive_settings.home) as ann:
        ann.train(5)
        ann.save(b"a" * 100)
    with leg(open_drive(bobs, url), bobs.home, on=host("machine-2"), lease_s=30.0) as bob:
        bob.train(6)
        bob.save(b"b" * 5000)
    return url


def test_in_a_shared_folder_each_session_pays_for_what_it_wrote(relay, drive_settings, open_drive, account, shared):
    """Counted from the session files alone, and by the store's own word."""
    store = open_drive(drive_settings, relay)
    run = read_run(store, find_run_folder(store, "cats"))
    ann, bob = account.partition("@")[0], shared[1].partition("@")[0]
    assert bytes_by_owner(s.session for s in run.sessions) == {bob: 5000, ann: 100}
    assert verify_run(store, run).bytes_by_owner == {ann: 100, bob: 5000}
    (check,) = [c for c in diagnose(relay, drive_settings) if c.name == "checkpoints"]
    assert ann in check.detail
    assert bob in check.detail


def test_only_its_owner_deletes_a_checkpoint_there(relay, drive_settings, shared, open_drive):
    store = open_drive(shared[2], relay)
    run = read_run(store, find_run_folder(store, "cats"))
    anns, bobs = (s.session.checkpoints[0] for s in run.sessions)
    with pytest.raises(StoreError) as caught:
        store.delete(anns.key, store_id=anns.id)
    assert "owns" in caught.value.hint
    store.delete(bobs.key, store_id=bobs.id)


def test_the_command_line_names_the_owner(relay, drive_settings, account):
    """`status --json` for each checkpoint and in sum, `verify --json` as the store says."""
    env = {
        "BATONPASS_DRIVE_TOKEN": drive_settings.drive_token,
        "BATONPASS_DRIVE_ENDPOINT": drive_settings.drive_endpoint,
    }

    def asked(*words):
        call = [sys.executable, "-W", "error", "-m", "batonpass", *words, "--store", relay]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True, env=os.environ | env)
        return done.stdout

    ann = account.partition("@")[0]
    tree = json.loads(asked("status", "cats", "--json"))
    assert tree["bytes_by_owner"][ann] == 100
    assert {c["step"]: c["owner"] for c in tree["checkpoints"]}[5] == ann
    assert "owned and paid for by: " in asked("status", "cats")
    assert json.loads(asked("verify", "cats", "--json"))["bytes_by_owner"][ann] == 100
