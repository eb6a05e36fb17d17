"""Two machines begin one run at the same time while Drive's lists lag: they end on one run, or both runs are kept and offered."""

from __future__ import annotations

import pytest
from legs import Leg, host

from batonpass.core import naming
from batonpass.core.errors import AmbiguousRunError, HeldElsewhereError
from batonpass.core.lineage import resume_candidates
from batonpass.core.model import EndKind
from batonpass.sync.reading import list_run_folders, read_run
from batonpass.sync.root import open_root
from batonpass.sync.twins import find_run, other_runs

LAG_S = 3600.0


@pytest.fixture
def twins(open_drive, emulator, tmp_path):
    """Two sessions that began "cats" without seeing each other, and a third client to look with."""
    look = open_drive()
    open_root(look, create=True)
    emulator.control("settings", list_lag_s=LAG_S)
    legs = [Leg(open_drive(), tmp_path / f"home-{n}", on=host(f"machine-{n}")) for n in range(2)]
    emulator.control("settings", list_lag_s=0)
    emulator.control("reveal")
    assert len(list_run_folders(look)) == 2
    assert legs[0].joined.folder != legs[1].joined.folder
    yield look, *legs
    for leg in legs:
        leg.die()


def test_where_one_was_trained_a_start_by_name_continues_that_one(twins):
    look, _, second = twins
    second.train(3)
    second.save()
    assert find_run(look, "cats") == second.joined.folder


def test_where_neither_was_trained_everybody_takes_the_older(twins, open_drive):
    look, first, _ = twins
    assert find_run(look, "cats") == find_run(open_drive(), "cats") == first.joined.folder


def test_where_both_were_trained_both_are_kept_and_offered(twins):
    look, *legs = twins
    for leg in legs:
        leg.train(3)
        leg.save()
    with pytest.raises(AmbiguousRunError) as caught:
        find_run(look, "cats")
    for leg in legs:
        assert leg.joined.info.run_id in str(caught.value)
        assert find_run(look, "cats", run_id=leg.joined.info.run_id) == leg.joined.folder
        assert [c.step for c in read_run(look, leg.joined.folder).sessions[0].session.checkpoints] == [3]


def test_each_creator_looks_again_after_a_minute_and_says_so_once(twins):
    _, first, second = twins
    assert not first.active.lookout.twins
    for _ in range(3):
        first.active.lookout.began_at -= 400.0
        assert first.active.service.publish_now()
    assert first.active.lookout.twins == first.active.status().twins == (second.joined.info.run_id,)
    assert sum("another run named" in line for line in first.said) == 1


def test_it_looks_once_more_at_its_end(twins):
    _, first, second = twins
    first.active.close(EndKind.CLOSED)
    assert first.active.lookout.twins == (second.joined.info.run_id,)


@pytest.fixture
def one_folder_two_heads(open_drive, emulator, account, tmp_path):
    """The second machine sees the run's folder and not yet its files: it takes it for half created, and makes them again."""
    first = Leg(open_drive(), tmp_path / "a", on=host("machine-1"))
    for file in emulator.files():
        if file["owner"] == account and file["title"] in ("head.json", "run.json"):
            emulator.control("hide", file_id=file["id"], for_s=3600)
    second = Leg(open_drive(), tmp_path / "b", on=host("machine-2"))
    assert first.joined.folder == second.joined.folder
    assert first.joined.created
    assert second.joined.created
    emulator.control("reveal")
    yield first, second
    first.die()
    second.die()


def test_of_two_heads_in_one_folder_the_older_counts_and_no_session_is_lost(one_folder_two_heads, open_drive):
    first, second = one_folder_two_heads
    for leg in (first, second):
        leg.train(3)
        leg.save()
    for leg in (second, first, second):
        leg.active.lookout.began_at -= 400.0
        assert leg.active.service.publish_now()
    assert first.joined.writer.record.branch is None
    assert second.joined.writer.record.branch == f"lost to {first.joined.session}"
    assert sum("taken this run over" in line for line in second.said) == 1
    run = read_run(open_drive(), first.joined.folder)
    assert run.head.holder == first.joined.session
    assert [s.session.id for s in run.sessions] == [first.joined.session, second.joined.session]
    assert [[c.step for c in s.session.checkpoints] for s in run.sessions] == [[3], [3]]


def test_a_session_that_ends_before_its_first_look_is_in_the_head_that_counts_too(one_folder_two_heads, open_drive):
    first, second = one_folder_two_heads
    second.train(3)
    second.save()
    second.active.close(EndKind.CLOSED)
    run = read_run(open_drive(), first.joined.folder)
    assert run.head.holder == first.joined.session
    assert {s.session.id for s in run.sessions} == {first.joined.session, second.joined.session}
    assert first.active.service.publish_now()
    assert first.joined.writer.record.branch is None


def test_what_was_trained_under_the_head_that_counts_is_continued(one_folder_two_heads, open_drive):
    """Also where the other session claimed more often, and after both have ended; and its checkpoint is there to fall back on."""
    first, second = one_folder_two_heads
    for leg in (first, second):
        leg.train(3)
        leg.save()
    for _ in range(2):
        second.active.pause(EndKind.STOPPED)
        second.active.retake()
    assert second.joined.head.term > first.joined.head.term
    for leg in (second, first):
        leg.active.close(EndKind.CLOSED)
    run = read_run(open_drive(), first.joined.folder)
    assert run.head.holder is None
    found = resume_candidates(run.head, [s.session for s in run.sessions])
    assert [c.session for c in found] == [first.joined.session, second.joined.session]


def test_a_session_stopped_under_the_other_head_does_not_take_the_run_from_its_holder(one_folder_two_heads):
    first, second = one_folder_two_heads
    second.active.pause(EndKind.STOPPED)
    second.active.lookout.began_at -= 400.0
    assert second.active.service.publish_now()
    first.active.close(EndKind.CLOSED)
    with pytest.raises(HeldElsewhereError):
        second.active.retake()


def test_a_session_that_joined_under_the_other_head_finds_out_too(
    one_folder_two_heads, open_drive, emulator, account, tmp_path
):
    """The second machine's kernel was restarted before anybody looked: its new session created nothing, and looks all the same."""
    first, second = one_folder_two_heads
    second.train(3)
    second.save()
    (mine,) = {f["id"] for f in emulator.files("head.json") if f["owner"] == account} - {
        second.joined.store.stat(naming.head_file(second.joined.folder)).id
    }
    second.die()
    emulator.control("hide", file_id=mine, for_s=3600)
    third = Leg(open_drive(), tmp_path / "c", on=host("machine-3"), takeover=True)
    emulator.control("reveal")
    assert not third.joined.created
    third.active.lookout.began_at -= 400.0
    for _ in range(2):
        assert third.active.service.publish_now()
    assert third.joined.writer.record.branch == f"lost to {first.joined.session}"
    assert third.joined.session in read_run(open_drive(), first.joined.folder).head.sessions
    third.die()


def test_a_session_that_was_killed_under_the_other_head_is_named_by_the_next_start_there(
    one_folder_two_heads, open_drive, tmp_path
):
    first, second = one_folder_two_heads
    second.train(3)
    second.save()
    second.die()
    third = Leg(open_drive(), tmp_path / "b", on=host("machine-2"), takeover=True)
    run = read_run(open_drive(), first.joined.folder)
    assert set(run.head.sessions) == {first.joined.session, second.joined.session, third.joined.session}
    killed = run.session(second.joined.session).session
    assert killed.branch == f"lost to {first.joined.session}"
    assert [c.step for c in killed.checkpoints] == [3]
    third.die()


def test_a_run_of_another_name_is_no_twin(open_drive, tmp_path):
    store = open_drive()
    one = Leg(store, tmp_path / "a", name="cats")
    two = Leg(store, tmp_path / "b", name="cats-v2")
    assert other_runs(store, one.joined.folder) == ()
    one.die()
    two.die()


def test_two_creators_that_see_each_other_share_one_run(open_drive, tmp_path):
    first = Leg(open_drive(), tmp_path / "a", on=host("machine-1"))
    second = Leg(open_drive(), tmp_path / "b", on=host("machine-2"), takeover=True)
    assert first.joined.folder == second.joined.folder
    assert not second.joined.created
    first.die()
    second.die()


def test_two_roots_of_one_name_are_one_root(open_drive, emulator, tmp_path):
    """Both clients make the folder and its mark while neither is listed; afterwards both read one root and find each other's runs."""
    emulator.control("settings", list_lag_s=LAG_S)
    stores = [open_drive(), open_drive()]
    legs = [Leg(store, tmp_path / f"home-{n}", name=f"run-{n}") for n, store in enumerate(stores)]
    emulator.control("settings", list_lag_s=0)
    emulator.control("reveal")
    fresh = open_drive()
    assert len(list_run_folders(fresh)) == 2
    roots = {open_root(open_drive(), create=False).root_id for _ in range(2)}
    assert len(roots) == 1
    for leg in legs:
        assert read_run(fresh, find_run(fresh, leg.joined.info.name)).info.run_id == leg.joined.info.run_id
        leg.die()


def test_a_start_by_name_converges(twins, open_drive, tmp_path):
    """The third machine joins the older of two empty ones; it never makes a third."""
    look, first, _ = twins
    third = Leg(open_drive(), tmp_path / "third", on=host("machine-3"), takeover=True)
    assert third.joined.folder == first.joined.folder
    assert len(list_run_folders(look)) == 2
    third.die()
