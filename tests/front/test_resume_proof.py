"""After a resume the next batch and the steps that run again are compared with what was recorded, and the answer is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from front_training import arrived, loader, model_and_optimizer, sessions, start, train

from batonpass import endings, starting
from batonpass.__main__ import main
from batonpass.core.resumption import HINT
from batonpass.sync import session as writing

SAVED, LAST = 10, 15


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "drive" / "batonpass")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BATONPASS_LEASE_S", "0.2")

    def change(name: str) -> None:
        starting._open_runs.clear()
        monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / name))

    change("first")
    return change


def attached(store: str):
    model, optimizer = model_and_optimizer()
    return start(store, save_every_s=1e9).attach(model=model, optimizer=optimizer), model, optimizer


def first_leg(store: str, *, last: int = LAST) -> None:
    """Saves at step 10 and vanishes after step 15; what it logged has arrived."""
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=SAVED)
    assert arrived(run)
    for (batch,) in run.steps(loader()) if last > SAVED else ():
        if run.step > last:
            break
        body(run, model, optimizer, batch)
    run._active.joined.log.flush(10)
    assert run._active.service.publish_now()
    endings.forget(run)
    run._active.service.stop()
    run._active.joined.close()
    run._active.joined.store.close()


def body(run, model, optimizer, batch, *, noise: float = 0.0, **more) -> None:
    optimizer.zero_grad()
    loss = model(batch + noise).square().mean()
    loss.backward()
    optimizer.step()
    run.log(loss=loss, **more)


def second_leg(store: str, *, noise_from: int = 99, batches=loader, **more):
    """Resumes and trains to step 20; from step `noise_from` on something adds noise that nobody attached."""
    run, model, optimizer = attached(store)
    assert run.step == SAVED
    for (batch,) in run.steps(batches()):
        if run.step > 20:
            break
        body(run, model, optimizer, batch, noise=1e-6 if run.step >= noise_from else 0.0, **more)
    status = run.status() if run.finish() else None
    return status, sessions(store)[-1].session


def test_the_steps_that_run_again_are_reproduced_and_it_is_said(store, machine, capsys):
    first_leg(store)
    machine("second")
    status, session = second_leg(store)
    proof = session.resume_proof
    assert session.resumed_from.label == "EXACT"
    assert (proof.data, proof.steps, proof.first_step, proof.last_step, proof.differs_at) == ("same", 5, 11, 15, None)
    assert proof.metric == "loss"
    said = capsys.readouterr().out
    assert "so far: whether the data is the same is seen at the first batch" in said
    assert "EXACT: the next batch holds the samples that it would have held" in said
    assert f"reproduced bit for bit (loss {proof.value:.6g})" in said
    assert f"EXACT: steps 11 to 15 reproduced bit for bit (loss {proof.value:.6g})" in str(status)
    assert not status.problems


def test_the_command_line_says_it_too(store, machine, capsys):
    first_leg(store)
    machine("second")
    second_leg(store)
    capsys.readouterr()
    assert main(["status", "cats", "--store", store]) == 0
    assert "resumed: EXACT: steps 11 to 15 reproduced bit for bit" in capsys.readouterr().out
    assert main(["status", "cats", "--store", store, "--json"]) == 0
    resume = json.loads(capsys.readouterr().out)["sessions"][-1]["resume"]
    assert (resume["label"], resume["proof"]["steps"]) == ("EXACT", 5)


@pytest.mark.parametrize("noise_from", [11, 13])
def test_a_step_that_differs_in_an_exact_resume_is_shown_as_a_defect(noise_from, store, machine, capsys):
    first_leg(store)
    machine("second")
    status, session = second_leg(store, noise_from=noise_from)
    proof = session.resume_proof
    assert (proof.differs_at, proof.metric) == (noise_from, "loss")
    assert proof.before != proof.value
    assert f"NOT AS PROMISED: resume EXACT: step {noise_from} is not what it was: loss" in capsys.readouterr().out
    (problem,) = status.problems
    assert f"{proof.before:.6g} then" in problem or str(proof.before) in problem
    assert HINT in problem


def test_with_the_same_data_on_another_machine_a_difference_is_calmly_said(store, machine, capsys, monkeypatch):
    first_leg(store)
    machine("second")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    status, session = second_leg(store, noise_from=11)
    assert session.resumed_from.label == "SAME DATA"
    assert session.resume_proof.differs_at == 11
    said = capsys.readouterr().out
    assert "expected: the same data with other roundings" in said
    assert "NOT AS PROMISED" not in said
    assert not status.problems


def test_with_other_data_the_label_is_no_longer_exact(store, machine, capsys):
    first_leg(store)
    machine("second")

    def other():
        generator = torch.Generator().manual_seed(8)
        data = torch.utils.data.TensorDataset(torch.randn(60, 4, generator=generator))
        return torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)

    _, session = second_leg(store, batches=other)
    said = capsys.readouterr().out
    assert session.resumed_from.label == "PARTIAL"
    assert session.resume_proof.data == "other"
    assert session.resume_proof.differs_at == 11
    assert "expected, because not everything came back" in said
    assert "would have held" not in said


def test_where_nothing_was_recorded_after_the_checkpoint_that_is_said(store, machine):
    first_leg(store, last=SAVED)
    machine("second")
    status, session = second_leg(store)
    assert session.resume_proof.steps == 0
    assert "nothing was recorded after that checkpoint" in session.resume_proof.note
    assert "EXACT: the next batch held the samples that it would have held; nothing was recorded" in status.resume


def test_sealed_rows_are_found_in_their_segment(store, machine, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(writing, "seal_is_due", lambda size_bytes, age_s: size_bytes > 0)
        first_leg(store)
    assert sessions(store)[0].session.segments
    assert not sessions(store)[0].session.tail.rows
    assert sessions(store)[0].session.rows == LAST
    machine("second")
    _, session = second_leg(store)
    assert (session.resume_proof.steps, session.resume_proof.differs_at) == (5, None)


def test_a_record_that_cannot_be_read_is_a_note_and_training_goes_on(store, machine, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(writing, "seal_is_due", lambda size_bytes, age_s: size_bytes > 0)
        first_leg(store)
    for segment in Path(store).glob("runs/*/metrics/*"):
        segment.write_bytes(segment.read_bytes()[:-9] + b"x" * 9)
    machine("second")
    _, session = second_leg(store)
    assert session.step == 20
    assert session.resume_proof.steps == 0
    assert "cannot be read" in session.resume_proof.note


def test_what_measures_the_machine_is_no_defect(store, machine):
    first_leg(store)
    machine("second")
    status, session = second_leg(store, step_time=3.0)
    assert session.resume_proof.differs_at is None
    assert not status.problems
