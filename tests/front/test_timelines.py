"""What must come out right, told as timelines: machines that die, Drives that lag, runs that are taken over."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from front_training import arrived, loader, model_and_optimizer, sessions, start, train, weights

from batonpass import endings, starting
from batonpass.core.errors import NotOurFolderError, StoreUnreachableError
from batonpass.core.lineage import legs
from batonpass.core.metrics.segments import decode_segment
from batonpass.core.metrics.tail import decode_tail
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "drive" / "batonpass")


@pytest.fixture(params=["folder", "drive"])
def anywhere(request: pytest.FixtureRequest, store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder, and the emulated Drive: what must come out right comes out right on both."""
    if request.param == "folder":
        return store
    settings = request.getfixturevalue("drive_settings")
    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", settings.drive_token)
    monkeypatch.setenv("BATONPASS_DRIVE_ENDPOINT", settings.drive_endpoint)
    return "gdrive://batonpass"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Go on at another machine: its disk knows nothing of the others."""
    monkeypatch.setenv("BATONPASS_LEASE_S", "0.2")

    def change(name: str) -> None:
        starting._open_runs.clear()
        monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / name))

    return change


def attached(store: str, **options):
    model, optimizer = model_and_optimizer()
    return start(store, **options).attach(model=model, optimizer=optimizer), model, optimizer


def vanish(run) -> None:
    """The machine is gone: nothing more is said, sent or written."""
    endings.forget(run)
    starting._open_runs.clear()
    run._active.service.stop()
    run._active.joined.close()
    run._active.joined.store.close()


def pool_files(store: str, step: int) -> list[Path]:
    return [p for p in Path(store).glob("runs/*/files/*") if p.name.startswith(f"{step}-")]


def test_manifests_that_arrived_before_their_files_are_passed_over_for_an_older_checkpoint(store, machine, capsys):
    machine("a")
    run, model, optimizer = attached(store, save_every_s=1e9)
    for step in (10, 20):
        train(run, model, optimizer, stop_at=step)
        assert arrived(run)
    vanish(run)
    for late in pool_files(store, 20):
        late.unlink()
    machine("b")
    run, *_ = attached(store)
    assert run.step == 10
    assert "step 20 has not arrived whole" in capsys.readouterr().out
    assert sessions(store)[-1].session.quarantined == ()
    run.finish()


def two_legs(store: str, machine) -> Path:
    """Two machines train to 10 and to 20; the file of the second one's session."""
    for name, stop_at in (("a", 10), ("b", 20)):
        machine(name)
        run, model, optimizer = attached(store, save_every_s=1e9)
        train(run, model, optimizer, stop_at=stop_at)
        assert arrived(run)
        (file,) = Path(store).glob(f"runs/*/sessions/{run.session}.json")
        run.finish()
    return file


def day_three(store: str, machine, capsys):
    """A third machine goes on after `two_legs`: at which step, and what it says."""
    capsys.readouterr()
    machine("c")
    run, *_ = attached(store)
    step, said = run.step, capsys.readouterr().out
    run.finish()
    return step, said


def test_nothing_lost_is_not_said_where_the_newest_sessions_file_cannot_be_read(store, machine, capsys):
    file = two_legs(store, machine)
    file.rename(file.with_suffix(".late"))
    step, said = day_three(store, machine, capsys)
    assert step == 10
    assert "nothing lost" not in said
    assert "continuing at step 11 of 40; what a later session did is not known" in said
    assert f"the file of session {file.stem} could not be read, twice" in said


def test_a_session_file_that_arrives_while_it_is_waited_for_is_continued(store, machine, monkeypatch, capsys):
    file = two_legs(store, machine)
    late = file.rename(file.with_suffix(".late"))
    monkeypatch.setattr("batonpass.sync.active.ActiveSession.wait", lambda *_: late.rename(file))
    step, said = day_three(store, machine, capsys)
    assert step == 20
    assert "nothing lost" in said


def test_a_damaged_newest_checkpoint_is_a_loss_also_where_an_older_session_restores_at_its_last_step(
    store, machine, capsys
):
    two_legs(store, machine)
    for late in pool_files(store, 20):
        late.unlink()
    step, said = day_three(store, machine, capsys)
    assert step == 10
    assert "nothing lost" not in said
    assert "10 steps (" in said


def test_a_store_that_does_not_answer_while_the_newest_is_read_stops_the_start_and_condemns_nothing(
    store, machine, monkeypatch
):
    machine("a")
    run, model, optimizer = attached(store, save_every_s=1e9)
    train(run, model, optimizer, stop_at=10)
    run.finish()
    machine("b")
    monkeypatch.setattr("batonpass.starting._open_checked", open_store)  # without the minutes of trying again
    real = FolderStore.fetch

    def dead(self, key, *args, **kwargs):
        if "/files/" in key:
            raise StoreUnreachableError(
                "Transport endpoint is not connected", op="fetch", key=key, hint="mount it again"
            )
        return real(self, key, *args, **kwargs)

    monkeypatch.setattr(FolderStore, "fetch", dead)
    run = start(store)
    with pytest.raises(StoreUnreachableError):
        run.attach(model=model, optimizer=optimizer)
    vanish(run)
    monkeypatch.setattr(FolderStore, "fetch", real)
    assert all(s.session.quarantined == () for s in sessions(store))
    machine("c")
    run, *_ = attached(store)
    assert run.step == 10
    run.finish()


def test_the_mount_of_another_account_is_not_taken_for_this_root(store, tmp_path, machine):
    machine("a")
    run, *_ = attached(store)
    mine = {"run_id": run.run_id, "root_id": run.root_id}
    run.finish()
    with pytest.raises(NotOurFolderError):
        start(str(tmp_path / "other drive"), **mine)
    theirs = start(str(tmp_path / "other drive"))
    theirs.finish()
    with pytest.raises(NotOurFolderError, match=theirs.root_id):
        start(str(tmp_path / "other drive"), **mine)


def test_after_a_takeover_the_run_goes_on_from_the_new_holder_and_not_from_the_larger_step(anywhere, machine):
    machine("a")
    first, model, optimizer = attached(anywhere, save_every_s=1e9)
    train(first, model, optimizer, stop_at=8)
    assert arrived(first)
    machine("b")
    second, model_b, optimizer_b = attached(anywhere, save_every_s=1e9, takeover=True)
    train(second, model_b, optimizer_b, stop_at=12)
    assert arrived(second)
    train(first, model, optimizer, stop_at=30)  # the loser trains on
    assert arrived(first)
    assert first.status().branch == f"lost to {second.session}"
    vanish(first)
    vanish(second)
    machine("c")
    third, *_ = attached(anywhere)
    assert third.step == 12
    seen = {s.session.id: s.session for s in sessions(anywhere)}
    assert [c.step for c in seen[first.session].checkpoints][-2:] == [8, 30]
    third.finish()


def test_a_deliberate_rewind_that_dies_goes_on_near_where_it_died(anywhere, machine, capsys):
    machine("a")
    run, model, optimizer = attached(anywhere, save_every_s=1e9)
    for step in (10, 20, 30):
        train(run, model, optimizer, stop_at=step)
        assert arrived(run)
    run.finish()
    ten = next(c for c in sessions(anywhere)[0].session.checkpoints if c.step == 10)
    machine("b")
    run, model, optimizer = attached(anywhere, checkpoint=ten.key, save_every_s=1e9)
    assert run.step == 10
    assert "run again" not in capsys.readouterr().out
    train(run, model, optimizer, stop_at=14)
    assert arrived(run)
    vanish(run)
    machine("c")
    run, *_ = attached(anywhere, checkpoint=ten.key)  # the same cell, run again
    assert run.step == 14
    assert "continued from the chosen checkpoint before" in capsys.readouterr().out
    run.finish()


def test_a_checkpoint_being_restored_stays_while_the_holder_publishes_and_keeps_two(anywhere, machine, monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr("batonpass.sync.active.PRUNE_EVERY_S", 0.0)
    monkeypatch.setattr("batonpass.sync.pruning.GRACE", timedelta(seconds=-5))
    monkeypatch.setattr("batonpass.sync.active.ActiveSession._fence", lambda self: None)  # it has not looked yet
    machine("a")
    holder, model, optimizer = attached(anywhere, save_every_s=1e9, keep=2)
    train(holder, model, optimizer, stop_at=5)
    assert arrived(holder)
    machine("b")
    slow, *_ = attached(anywhere, takeover=True)  # has restored step 5 and has no checkpoint of its own yet
    for step in range(8, 30, 3):
        train(holder, model, optimizer, stop_at=step)
        assert arrived(holder)
    steps = [c.step for c in next(s for s in sessions(anywhere) if s.session.id == holder.session).session.checkpoints]
    assert 5 in steps
    assert len(steps) <= 4
    with contextlib.closing(open_store(anywhere)) as opened:
        assert [o for o in opened.list_objects("runs/") if "/files/5-" in o.key]
    vanish(holder)
    slow.finish()


def test_validation_metrics_logged_in_the_tail_are_kept_once(anywhere, machine):
    def epoch(run, model, optimizer, epochs, *, die_in_tail_of=None):
        for number in run.epochs(epochs):
            run._saver.wait(10)  # a writer that is still busy would skip the next save
            for (batch,) in run.steps(data):
                optimizer.zero_grad()
                loss = model(batch).square().mean()
                loss.backward()
                optimizer.step()
                run.log(loss=loss)
                if run.batch == 14:
                    run.save()  # at the boundary between the last batch and what follows it
            run.log(valid=float(number))
            if number == die_in_tail_of:
                return

    data = loader()
    machine("a")
    run, model, optimizer = attached(anywhere, save_every_s=1e9)
    epoch(run, model, optimizer, 2, die_in_tail_of=1)
    run._saver.wait(10)
    run._active.service.drain(10)
    run._active.joined.log.flush(10)
    run._active.service.publish_now()
    vanish(run)
    machine("b")
    run, model, optimizer = attached(anywhere, save_every_s=1e9)
    assert run.step == 30
    epoch(run, model, optimizer, 2)
    run.finish()
    valid = [(row.step, row.value) for row in counted_rows(anywhere) if row.name == "valid"]
    assert valid == [(15, 0.0), (30, 1.0)]
    losses = [row.step for row in counted_rows(anywhere) if row.name == "loss"]
    assert losses == list(range(1, 31))


def counted_rows(store: str):
    """The rows of the run's one story."""
    found = []
    with contextlib.closing(open_store(store)) as opened:
        run = read_run(opened, find_run_folder(opened, "cats"))
        for leg in legs(run.head, [s.session for s in run.sessions]):
            session = run.session(leg.session).session
            rows = [r for segment in session.segments for r in decode_segment(opened.get(segment.key))]
            rows += decode_tail(session.tail)
            found += [r for r in rows if leg.end_row is None or r.row < leg.end_row]
    return found


def test_without_the_random_streams_the_end_differs(store, machine, monkeypatch, tmp_path):
    """The negative control of every equality proof: dropout draws from the streams, and forgetting them must show."""

    def relay(place: str) -> bytes:
        run, model, optimizer = attached(place)
        train(run, model, optimizer, stop_at=13)
        run.finish()
        run, model, optimizer = attached(place)
        train(run, model, optimizer)
        run.finish()
        return weights(model)

    machine("a")
    whole, model, optimizer = attached(str(tmp_path / "whole"))
    train(whole, model, optimizer)
    whole.finish()
    assert relay(store) == weights(model)
    monkeypatch.setattr("batonpass.core.training.restore.restore_rng", lambda _streams: ())
    monkeypatch.setattr("batonpass.core.training.loop.restore_rng", lambda _streams: ())
    assert relay(str(tmp_path / "forgetful")) != weights(model)
