"""What a mount wrote to a Drive is proven by Drive itself: any machine may ask, the writer's too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drive_emulator.accounts import FULL
from legs import leg

from batonpass.core import naming
from batonpass.core.settings import Settings
from batonpass.sync.identity import this_machine
from batonpass.sync.proving import Outcome, prove_arrival
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store


@pytest.fixture
def mounted(tmp_path):
    """A run on a mounted Drive that handed over two checkpoints; yields its store and its folder."""
    (tmp_path / "mount" / "MyDrive").mkdir(parents=True)
    settings = Settings(home=tmp_path / "home", mount_points=(tmp_path / "mount",))
    store = open_store(str(tmp_path / "mount" / "MyDrive" / "batonpass"), settings)
    with leg(store, tmp_path / "home") as one:
        for _ in range(2):
            one.train(10)
            one.save()
        yield store, one.joined.folder


@pytest.fixture
def open_full(emulator, account, drive_settings, open_drive):
    """Opens the Drive as the client of that name, which sees everything."""

    def make(client: str):
        token = emulator.token(account, client_id=f"{client}.apps.example.org", scopes=(FULL,))
        return open_drive(replace(drive_settings, drive_token=token))

    return make


def bring(mount, far, *, without: str = "no such file") -> None:
    """What the mount's own program does: every file under the same name, by a client that is not ours."""
    for info in mount.list_objects(""):
        if without not in info.key:
            far.put(info.key, mount.get(info.key))


def test_drives_own_size_and_checksum_prove_what_a_mount_wrote(mounted, open_full, emulator, tmp_path):
    mount, folder = mounted
    bring(mount, open_full("mount"))
    reader = open_full("reader")
    run = read_run(reader, folder)
    emulator.control("reset_log")
    report = prove_arrival(reader, run, this_machine(tmp_path / "home"))
    assert (report.method, report.read_bytes) == ("api", 0)
    assert emulator.log()["by_op"]["media.get"] == 3, "two manifests, and the receipt that the second proof adds to"
    assert [(p.step, p.outcome) for p in report.proofs] == [(20, Outcome.PROVEN), (10, Outcome.PROVEN)]
    assert len(read_run(open_full("mount"), folder).arrived) == 2
    key = naming.receipt_file(folder, report.reader)
    mount.put(key, reader.get(key))  # the mount's program brings it down again
    assert len(read_run(mount, folder).arrived) == 2


def test_what_the_mount_has_not_brought_up_yet_is_waited_for(mounted, open_full, tmp_path):
    mount, folder = mounted
    far, reader = open_full("mount"), open_full("reader")
    bring(mount, far, without="files/20-")
    report = prove_arrival(reader, read_run(reader, folder), this_machine(tmp_path / "home"))
    assert [(p.step, p.outcome) for p in report.proofs] == [(20, Outcome.WAITING), (10, Outcome.PROVEN)]
    bring(mount, far)
    report = prove_arrival(reader, read_run(reader, folder), this_machine(tmp_path / "home"))
    assert [(p.step, p.outcome) for p in report.proofs] == [(20, Outcome.PROVEN)]


def test_other_bytes_on_the_drive_are_damage_and_get_no_receipt(mounted, open_full, tmp_path):
    mount, folder = mounted
    far, reader = open_full("mount"), open_full("reader")
    bring(mount, far)
    (file,) = (info for info in mount.list_objects(f"{folder}files/") if "/20-" in info.key)
    far.put(file.key, b"x" * file.size_bytes)
    report = prove_arrival(reader, read_run(reader, folder), this_machine(tmp_path / "home"))
    assert [(p.step, p.outcome) for p in report.proofs] == [(20, Outcome.DAMAGED), (10, Outcome.PROVEN)]
    assert [key.split("/")[-1].split("-")[0] for key in read_run(reader, folder).arrived] == ["10"]
