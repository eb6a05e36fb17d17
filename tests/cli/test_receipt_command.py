"""`batonpass verify RUN --receipt`, as a person calls it on another computer than the notebook's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from published import publish

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.model import EndKind, Session

REFUSED, DAMAGED = 1, 7


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """The run "cats-v2", handed over to a mounted Drive by this machine and finished."""
    (tmp_path / "mount" / "MyDrive").mkdir(parents=True)
    monkeypatch.setenv("BATONPASS_MOUNT_POINTS", str(tmp_path / "mount"))
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    return publish(tmp_path / "mount" / "MyDrive" / "batonpass", tmp_path / "home", kind=EndKind.FINISHED)


@pytest.fixture
def elsewhere(mounted):
    """The same, written by another machine."""
    path = mounted.root / naming.session_file(mounted.folder, mounted.session)
    record = decode(Session, path.read_bytes())
    host = replace(record.host, marks=("boot:0123456789abcdef", "install:0123456789abcdef"))
    path.write_bytes(encode(replace(record, host=host)))
    return mounted


def test_a_receipt_turns_handed_over_into_durable_for_every_reader(batonpass, elsewhere):
    before = batonpass("status", "cats-v2", "--store", elsewhere.root)
    assert "finished, not proven yet" in before.stdout
    assert "handed over" in before.stdout
    done = batonpass("verify", "cats-v2", "--receipt", "--store", elsewhere.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "step 200: proven" in done.stdout
    after = batonpass("status", "cats-v2", "--store", elsewhere.root)
    assert "finished and proven" in after.stdout
    assert "handed over" not in after.stdout
    told = json.loads(batonpass("status", "cats-v2", "--json", "--store", elsewhere.root).stdout)
    assert (told["state"], told["safe"]["proven"]) == ("finished and proven", True)
    assert {s["state"] for s in told["sessions"]} == {"finished and proven"}


def test_the_machine_that_wrote_it_is_refused_and_told_what_to_do(batonpass, mounted):
    done = batonpass("verify", "cats-v2", "--receipt", "--store", mounted.root)
    assert done.returncode == REFUSED
    assert "this is the machine that wrote it" in done.stdout
    assert "gdrive://FOLDER" in done.stdout
    assert not (mounted.path / "receipts").exists()


def test_damage_ends_with_its_own_code_and_what_has_not_come_with_another(batonpass, elsewhere):
    (model,) = (elsewhere.path / "files").glob("200-model*")
    whole = model.read_bytes()
    model.write_bytes(whole[:10])
    done = batonpass("verify", "cats-v2", "--receipt", "--json", "--store", elsewhere.root)
    told = json.loads(done.stdout)
    assert done.returncode == REFUSED
    assert [(p["step"], p["outcome"]) for p in told["proofs"]] == [(200, "not arrived yet"), (100, "proven")]
    model.write_bytes(whole[:-1] + b"!")
    done = batonpass("verify", "cats-v2", "--receipt", "--json", "--store", elsewhere.root)
    told = json.loads(done.stdout)
    assert done.returncode == DAMAGED
    assert (told["before"], told["method"]) == (1, "read")
    assert [(p["step"], p["outcome"]) for p in told["proofs"]] == [(200, "not as it was published")]


def test_two_ways_at_once_mean_nothing(batonpass, mounted):
    done = batonpass("verify", "cats-v2", "--receipt", "--read", "1/7", "--store", mounted.root)
    assert done.returncode == 2
    assert "--receipt reads all" in done.stderr
