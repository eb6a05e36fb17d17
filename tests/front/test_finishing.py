"""What `finish` says and keeps: on a run that was finished before, after a final touch by hand, and where the store takes nothing more."""

from __future__ import annotations

import torch
from front_training import arrived, model_and_optimizer, sessions, start, train

from batonpass.core.errors import StoreFullError
from batonpass.sync.stores.folder import FolderStore


def attached(store: str, **options):
    model, optimizer = model_and_optimizer()
    return start(store, **options).attach(model=model, optimizer=optimizer), model, optimizer


def test_a_finished_run_that_is_started_again_adds_no_checkpoint_and_pushes_none_out(tmp_path, capsys):
    """Run all on a run that has reached its goal: nothing was trained, so nothing is saved, and the older checkpoints stay."""
    store = str(tmp_path / "drive")
    run, model, optimizer = attached(store)
    train(run, model, optimizer, stop_at=20)
    assert arrived(run)
    train(run, model, optimizer)
    assert run.finish()
    before = [c.step for s in sessions(store) for c in s.session.checkpoints]
    for _ in range(3):
        run, model, optimizer = attached(store)
        assert run.step == 40
        capsys.readouterr()
        assert run.finish()
        assert "NOT SAFE" not in capsys.readouterr().out
    assert [c.step for s in sessions(store) for c in s.session.checkpoints] == before


def test_what_was_changed_by_hand_after_the_last_step_is_saved(tmp_path):
    """A final touch on the weights (averaging, batch norm) is no step, and is kept all the same."""
    store = str(tmp_path / "drive")
    run, model, optimizer = attached(store)
    train(run, model, optimizer)
    assert run.finish()
    run, model, optimizer = attached(store)
    with torch.no_grad():
        model[0].weight += 1.0
    assert run.finish()
    assert [c.step for c in sessions(store)[-1].session.checkpoints] == [40]


def test_a_finish_that_could_not_send_says_why_and_what_to_do_and_says_it_again(tmp_path, monkeypatch, capsys):
    store = str(tmp_path / "drive")
    run, model, optimizer = attached(store, save_every_s=1e9)
    train(run, model, optimizer, stop_at=8)
    assert arrived(run)
    real = FolderStore.put

    def full(self, key, body, **options):
        if "/files/" in key:
            raise StoreFullError("this Drive takes nothing more", hint="make room")
        return real(self, key, body, **options)

    monkeypatch.setattr(FolderStore, "put", full)
    train(run, model, optimizer)
    capsys.readouterr()
    assert not run.finish()
    first = capsys.readouterr().out
    for word in ("NOT SAFE YET", "on the store: step 8", "no room", "make room", "run the cell with batonpass.start"):
        assert word in first
    assert "the next start on this machine sends it" in run.status().problems[0]
    assert not run.finish()
    assert "NOT SAFE YET" in capsys.readouterr().out
    monkeypatch.setattr(FolderStore, "put", real)
    again, *_ = attached(store)
    assert again.step == 40
    assert again.finish()
