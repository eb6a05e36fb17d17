"""The same training on Google Drive (the emulator, through PyDrive2 and resumable uploads): first day, death, next day elsewhere."""

from __future__ import annotations

import json

import pytest
from front_training import arrived, model_and_optimizer, start, train, weights

from batonpass import starting
from batonpass.core.errors import SignInError
from batonpass.sync.copying import copy_root
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store

URL = "gdrive://batonpass"


@pytest.fixture
def signed_in(drive_settings, monkeypatch):
    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", drive_settings.drive_token)
    monkeypatch.setenv("BATONPASS_DRIVE_ENDPOINT", drive_settings.drive_endpoint)
    monkeypatch.setenv("BATONPASS_LEASE_S", "1")
    return drive_settings


def attached(**options):
    model, optimizer = model_and_optimizer()
    return start(URL, **options).attach(model=model, optimizer=optimizer), model, optimizer


def test_a_run_on_drive_goes_on_at_another_machine_and_ends_with_equal_weights(
    signed_in, tmp_path, monkeypatch, capsys
):
    whole, model, optimizer = attached()
    train(whole, model, optimizer)
    assert whole.finish()
    expected = weights(model)
    assert "verified: safe to close" in capsys.readouterr().out

    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", signed_in.drive_token)
    model, optimizer = model_and_optimizer()
    options = {"store": "gdrive://second", "goal_steps": 40, "seed": 5, "sync_every_s": 0.05}
    import batonpass as bp

    run = bp.start("cats", **options).attach(model=model, optimizer=optimizer)
    train(run, model, optimizer, stop_at=17)
    assert arrived(run)
    run._active.service.stop()  # the machine is gone
    run._active.joined.store.close()
    starting._open_runs.clear()
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "machine-2"))
    model, optimizer = model_and_optimizer()
    run = bp.start("cats", run_id=run.run_id, root_id=run.root_id, **options).attach(model=model, optimizer=optimizer)
    assert run.step == 17
    train(run, model, optimizer)
    assert run.finish()
    assert weights(model) == expected


def test_faults_of_every_kind_during_a_run_become_retries_and_the_end_is_proven(signed_in, emulator):
    run, model, optimizer = attached(save_every_s=0.0)
    for kind, fields in (
        ("answer", {"status": 503}),
        ("answer", {"status": 429, "retry_after_s": 0}),
        ("lost", {}),
        ("reset", {}),
    ):
        emulator.fault(kind, times=2, skip=5, **fields)
    train(run, model, optimizer)
    assert run.finish()
    status = run.status()
    assert status.durable_step == 40
    assert status.proven


def test_a_revoked_sign_in_becomes_a_state_with_words_what_to_do_and_training_goes_on(signed_in, emulator, capsys):
    run, model, optimizer = attached(save_every_s=0.0)
    grant = json.loads(signed_in.drive_token)
    emulator.control("revoke", refresh_token=grant["refresh_token"])
    assert len(train(run, model, optimizer)) == 40
    run._saver.wait(20)
    run._active.service.publish_now()
    problems = " ".join(run.status().problems)
    assert "login" in problems or "sign" in problems.lower()
    assert "training goes on" in capsys.readouterr().out
    run.leave("closed", "")


def test_without_a_credential_start_says_how_to_sign_in(monkeypatch):
    with pytest.raises(SignInError) as caught:
        start(URL)
    assert caught.value.hint


def test_drive_and_folder_hold_the_identical_layout(signed_in, tmp_path, monkeypatch):
    run, model, optimizer = attached()
    train(run, model, optimizer, stop_at=20)
    run.finish()
    drive, folder = open_store(URL), open_store(str(tmp_path / "copy"))
    copy_root(drive, folder)
    names = [{info.key for info in each.list_objects("")} for each in (drive, folder)]
    drive.close()
    assert names[0] == names[1]
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "elsewhere"))
    starting._open_runs.clear()
    model, optimizer = model_and_optimizer()
    again = start(str(tmp_path / "copy")).attach(model=model, optimizer=optimizer)
    assert again.step >= 20
    again.finish()
    assert len(read_run(folder, find_run_folder(folder, "cats")).sessions) == 2
