"""Sessions follow each other on one store: what is kept, who holds the run, and what a dead machine leaves."""

from datetime import timedelta
from pathlib import Path

import pytest
from legs import Leg, host, leg

from batonpass.core.errors import AmbiguousRunError, HeldElsewhereError, RunNotFoundError, UsageError
from batonpass.core.model import EndKind
from batonpass.sync import handover
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store


@pytest.fixture(params=["folder", "drive"])
def store(request, tmp_path):
    """Every relay on a folder and on the emulated Drive."""
    if request.param == "folder":
        return open_store(str(tmp_path / "drive" / "batonpass"))
    return request.getfixturevalue("drive")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


AT_ONCE = timedelta(seconds=-5)  # no grace at all, on a Drive whose clock tells whole seconds too
GONE = "4194304-1"  # a process id that no Linux gives out


def test_the_first_session_creates_the_run_and_says_so(store, home):
    with leg(store, home, goal_steps=100) as first:
        assert first.joined.created
        run = read_run(store, first.joined.folder)
        assert run.head.holder == first.joined.session
        assert run.info.goal_steps == 100


def test_what_is_listed_restores_with_equal_bytes(store, home, tmp_path):
    with leg(store, home) as first:
        first.train(10)
        first.save(b"x" * 100_000)
        run = read_run(store, first.joined.folder)
        (listing,) = run.sessions[0].session.checkpoints
        folder, manifest = fetch_checkpoint(store, run.folder, listing, tmp_path / "empty")
        assert (folder / "model.safetensors").read_bytes() == b"x" * 100_000
        assert listing.proven
        assert manifest.step == 10


def test_every_row_logged_before_a_checkpoint_is_on_the_store_when_it_is_listed(store, home):
    with leg(store, home) as first:
        first.train(50)
        first.save()
        (seen,) = read_run(store, first.joined.folder).sessions
        assert len(seen.session.tail.rows) >= seen.session.checkpoints[-1].metric_rows == 50


def test_a_second_kernel_on_this_machine_is_told_who_holds_the_run(store, home):
    with leg(store, home) as first:
        with pytest.raises(HeldElsewhereError, match="holds this run") as caught:
            Leg(store, home)
        assert f"takeover={first.joined.session!r}" in caught.value.hint
        folder = find_run_folder(store, "cats")
        assert len(read_run(store, folder).sessions) == 1
        assert len(store.list_objects(f"{folder}sessions/")) == 1


def test_another_machine_waits_one_lease_and_takes_over_from_a_silent_holder(store, home, tmp_path):
    first = Leg(store, home)
    first.train(5)
    first.save()
    first.die()
    with leg(store, tmp_path / "home-2", on=host("machine-2"), lease_s=30.0) as second:
        waiting = next(line for line in second.said if "waiting up to" in line)
        assert f"takeover={first.joined.session!r}" in waiting
        run = read_run(store, second.joined.folder)
        assert run.head.holder == second.joined.session
        assert run.head.term == 2


def test_a_holder_that_shows_a_sign_of_life_keeps_the_run(store, home, tmp_path, monkeypatch):
    with leg(store, home) as first:
        sleeps = 0

        def sleep_and_beat(self, seconds):
            nonlocal sleeps
            sleeps += 1
            self.now += seconds
            if sleeps == 3:
                first.joined.writer.publish()

        monkeypatch.setattr("legs.FakeTime.sleep", sleep_and_beat)
        with pytest.raises(HeldElsewhereError, match="sign of life"):
            Leg(store, tmp_path / "home-2", on=host("machine-2"))


def test_takeover_makes_the_other_session_a_branch_within_a_tick(store, home, tmp_path):
    with leg(store, home) as first, leg(store, tmp_path / "home-2", on=host("machine-2"), takeover=True) as second:
        first.train(3)
        first.active.service.publish_now()
        assert first.joined.writer.record.branch == f"lost to {second.joined.session}"
        assert sum("taken this run over" in line for line in first.said) == 1
        first.save()  # it goes on, in its own file
        run = read_run(store, first.joined.folder)
        assert run.head.holder == second.joined.session
        assert run.session(first.joined.session).session.checkpoints


def test_a_takeover_that_names_a_session_takes_the_run_from_that_one_alone(store, home, tmp_path, monkeypatch):
    """A cell that names yesterday's session may be run again by mistake: today's is asked for a sign of life as if nothing were named."""
    with leg(store, home) as first:
        gone = first.joined.session
        with leg(store, tmp_path / "home-2", on=host("machine-2"), takeover=gone) as second:
            assert not any("waiting" in line for line in second.said)
            assert read_run(store, second.joined.folder).head.holder == second.joined.session

            def sleep_while_it_beats(self, seconds):
                self.now += seconds
                second.joined.writer.publish()

            monkeypatch.setattr("legs.FakeTime.sleep", sleep_while_it_beats)
            with pytest.raises(HeldElsewhereError, match=second.joined.session):
                Leg(store, tmp_path / "home-3", on=host("machine-3"), takeover=gone)


def test_of_two_machines_that_take_a_run_from_one_session_at_the_same_moment_one_holds_it(
    store, home, tmp_path, monkeypatch
):
    """The second one's write meets another head than it has read. What it read named the session that is gone; what it reads again does not."""
    swap, faster = handover._swap, []

    def overtaken(*args):
        if not faster:
            faster.append(None)
            faster[0] = Leg(store, tmp_path / "home-2", on=host("machine-2"), takeover=gone)
        return swap(*args)

    def sleep_while_it_beats(self, seconds):
        self.now += seconds
        faster[0].joined.writer.publish()

    with leg(store, home) as first:
        gone = first.joined.session
        monkeypatch.setattr(handover, "_swap", overtaken)
        monkeypatch.setattr("legs.FakeTime.sleep", sleep_while_it_beats)
        with pytest.raises(HeldElsewhereError, match="sign of life"):
            Leg(store, tmp_path / "home-3", on=host("machine-3"), takeover=gone)
        assert read_run(store, first.joined.folder).head.holder == faster[0].joined.session
        faster[0].die()


def test_a_takeover_of_a_session_that_the_run_does_not_know_stops_and_says_so(store, home, tmp_path):
    with leg(store, home) as first:
        with pytest.raises(UsageError, match="no session of this run") as caught:
            Leg(store, tmp_path / "home-2", on=host("machine-2"), takeover=first.joined.session + "x")
        assert caught.value.hint
        assert read_run(store, first.joined.folder).head.holder == first.joined.session


def test_a_dead_process_on_this_machine_is_followed_at_once_and_its_rest_is_shipped(store, home):
    first = Leg(store, home, on=host(process=GONE))
    first.train(10)
    first.save()
    first.train(7)
    first.commit()  # on this disk, not on the store
    first.train(2)
    first.joined.log.flush(10)
    first.die()
    with leg(store, home) as second:
        before = read_run(store, second.joined.folder).session(first.joined.session).session
        assert [c.step for c in before.checkpoints] == [10, 17]
        assert before.end.kind is EndKind.RESTARTED
        assert before.rows == 19
        assert not any("waiting" in line for line in second.said)


def test_a_clean_end_frees_the_run_at_once(store, home, tmp_path):
    first = Leg(store, home)
    first.active.start()
    first.train(4)
    first.active.enqueue(*first.commit())
    assert first.active.close(EndKind.CLOSED, timeout_s=30)
    with leg(store, tmp_path / "home-2", on=host("machine-2")) as second:
        assert not any("waiting" in line for line in second.said)
        assert [c.step for c in read_run(store, second.joined.folder).sessions[0].session.checkpoints] == [4]


def test_the_stop_button_lets_go_and_the_loop_takes_the_run_back(store, home):
    with leg(store, home) as first:
        first.active.pause(EndKind.STOPPED)
        assert read_run(store, first.joined.folder).head.holder is None
        first.active.retake()
        run = read_run(store, first.joined.folder)
        assert run.head.holder == first.joined.session
        assert run.sessions[0].session.end is None


def test_a_run_taken_over_during_a_pause_is_not_taken_back(store, home, tmp_path):
    with leg(store, home) as first:
        first.active.pause(EndKind.STOPPED)
        with leg(store, tmp_path / "home-2", on=host("machine-2")), pytest.raises(HeldElsewhereError):
            first.active.retake()


@pytest.mark.parametrize("why", ["from scratch", "lost to another"])
def test_a_branch_that_was_stopped_goes_on_as_a_branch_and_takes_nothing(store, home, why):
    with leg(store, home) as first:
        first.active.become_branch(why)
        first.active.pause(EndKind.STOPPED)
        first.active.retake()
        run = read_run(store, first.joined.folder)
        assert run.head.holder is None
        assert run.sessions[0].session.branch == why
        assert run.sessions[0].session.end is None


def test_ids_that_lead_nowhere_never_create_a_run(store, home):
    with leg(store, home) as first, pytest.raises(RunNotFoundError):
        Leg(store, home, name="cats", run_id="00000000", root_id=first.joined.root.root_id)
    assert len(store.list_folders("runs/")) == 1


def test_two_runs_of_one_name_are_both_offered(store, home):
    with leg(store, home) as first:
        folder = first.joined.folder
    twin = folder.replace(first.joined.info.run_id, "0badcafe")
    for key in ("run.json", "head.json"):
        store.put(twin + key, store.get(folder + key))
    with pytest.raises(AmbiguousRunError, match="0badcafe"):
        Leg(store, home)


@pytest.mark.parametrize("name", ['say "hi"', "a/b\\c", "../../etc", "émile's run", "CON"])
def test_a_run_may_be_called_anything(store, home, name):
    with leg(store, home, name=name) as first:
        assert first.joined.info.name == name
    assert read_run(store, find_run_folder(store, name)).info.name == name


def test_an_empty_name_is_refused_before_anything_is_created(store, home):
    with pytest.raises(UsageError):
        Leg(store, home, name="  ")
    assert store.list_folders("runs/") == []


def test_a_creator_that_died_before_the_last_file_leaves_nothing_that_blocks(store, home):
    with leg(store, home, on=host(process=GONE)) as first:
        folder = first.joined.folder
    store.delete(f"{folder}run.json")
    with leg(store, home) as second:
        assert second.joined.folder == folder


def test_old_checkpoints_go_by_plan_and_their_files_after_the_grace(store, home, monkeypatch, tmp_path):
    with leg(store, home) as first:
        for _ in range(6):
            first.train(10)
            first.save()
        pruner = first.active._pruner
        assert pruner.prune() == 3
        run = read_run(store, first.joined.folder)
        assert [c.step for c in run.sessions[0].session.checkpoints] == [40, 50, 60]
        assert len(store.list_objects(f"{run.folder}checkpoints/")) == 3
        assert len(store.list_objects(f"{run.folder}files/")) == 6
        monkeypatch.setattr("batonpass.sync.pruning.GRACE", AT_ONCE)
        pruner.prune()
        assert len(store.list_objects(f"{run.folder}files/")) == 3
        for listing in run.sessions[0].session.checkpoints:
            fetch_checkpoint(store, run.folder, listing, Path(tmp_path / "empty"))


def test_a_file_that_a_kept_checkpoint_shares_is_not_removed(store, home, monkeypatch, tmp_path):
    monkeypatch.setattr("batonpass.sync.pruning.GRACE", AT_ONCE)
    with leg(store, home) as first:
        for _ in range(6):
            first.train(10)
            first.save(b"frozen")
        first.active._pruner.prune()
        first.active._pruner.prune()
        run = read_run(store, first.joined.folder)
        assert [c.step for c in run.sessions[0].session.checkpoints] == [40, 50, 60]
        for listing in run.sessions[0].session.checkpoints:
            folder, _ = fetch_checkpoint(store, run.folder, listing, tmp_path / "empty")
            assert (folder / "model.safetensors").read_bytes() == b"frozen"
        assert len(store.list_objects(f"{run.folder}files/")) == 1


def test_the_next_session_removes_the_files_that_a_dead_one_had_taken_up(store, home, monkeypatch, tmp_path):
    first = Leg(store, home)
    for _ in range(6):
        first.train(10)
        first.save()
    first.active._pruner.prune()
    first.die()
    with leg(store, tmp_path / "home-2", on=host("machine-2"), lease_s=1.0) as second:
        assert len(store.list_objects(f"{second.joined.folder}files/")) == 6
        monkeypatch.setattr("batonpass.sync.pruning.GRACE", AT_ONCE)
        second.train(70)
        second.save()
        second.active._pruner.prune()
        second.active._pruner.prune()
        left = read_run(store, second.joined.folder)
        durable = [c for s in left.sessions for c in s.session.checkpoints if c.key not in left.deleted]
        assert len(store.list_objects(f"{left.folder}files/")) == len(durable)
        for listing in durable:
            fetch_checkpoint(store, left.folder, listing, tmp_path / "empty")


def test_a_pruner_that_died_between_two_lines_leaves_nothing_behind(store, home, monkeypatch):
    monkeypatch.setattr("batonpass.sync.pruning.GRACE", AT_ONCE)
    with leg(store, home) as first:
        for _ in range(6):
            first.train(10)
            first.save()

        def die(*_args, **_kwargs):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(type(store), "delete", die)
            with pytest.raises(KeyboardInterrupt):
                first.active._pruner.prune()
        first.active._pruner.prune()
        assert len(store.list_objects(f"{first.joined.folder}checkpoints/")) == 3
        assert len(store.list_objects(f"{first.joined.folder}files/")) == 3
