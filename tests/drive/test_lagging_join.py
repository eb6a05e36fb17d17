"""A second machine starts a run that was begun a moment ago, while Drive's lists leave something of it out: it joins, or begins one that is
found later, or is told to come again and has left nothing behind.
"""

from __future__ import annotations

import pytest
from legs import Leg, host

from batonpass.core.errors import BatonpassError
from batonpass.sync.reading import read_run
from batonpass.sync.twins import other_runs

LAG_S = 3600.0
FOLDER = "the run's folder"
HEAD_AND_RECORD = ("head.json", "run.json")


@pytest.fixture
def first(open_drive, tmp_path):
    leg = Leg(open_drive(), tmp_path / "a", on=host("machine-1"))
    yield leg
    leg.die()


@pytest.fixture
def start_elsewhere(open_drive, tmp_path):
    """Starts the same run on another machine, as often as is asked for."""
    legs = []

    def start(**wanted) -> Leg:
        legs.append(Leg(open_drive(), tmp_path / "b", on=host("machine-2"), takeover=True, **wanted))
        return legs[-1]

    yield start
    for leg in legs:
        leg.die()


@pytest.fixture
def hide(first, emulator, account):
    """Leave files and folders of these names out of every list. Returns the ids of all that is there."""

    def hide_all(*titles: str) -> set[str]:
        own_name = first.joined.folder.split("/")[1]
        for file in emulator.files():
            if file["owner"] == account and file["title"] in [own_name if t == FOLDER else t for t in titles]:
                emulator.control("hide", file_id=file["id"], for_s=LAG_S)
        return {file["id"] for file in emulator.files()}

    return hide_all


def check_is_told(start, emulator, there: set[str], first: Leg) -> None:
    """Refused with the hint and nothing left; a minute later the same start joins."""
    with pytest.raises(BatonpassError) as caught:
        start()
    assert "a moment ago" in caught.value.hint
    assert "start again in a minute" in caught.value.hint
    assert {file["id"] for file in emulator.files()} == there
    emulator.control("reveal")
    assert start().joined.folder == first.joined.folder


@pytest.mark.parametrize("hidden", ["batonpass.json", "runs", FOLDER, *HEAD_AND_RECORD])
def test_with_ids_nothing_is_created_and_the_reason_is_said(first, start_elsewhere, hide, emulator, hidden):
    there, info = hide(hidden), first.joined.info
    ids = {"run_id": info.run_id, "root_id": first.joined.root.root_id}
    check_is_told(lambda: start_elsewhere(**ids), emulator, there, first)


@pytest.mark.parametrize("hidden", ["batonpass.json", "head.json"])
def test_by_name_a_run_that_is_seen_in_part_is_said_to_be_so(first, start_elsewhere, hide, emulator, hidden):
    check_is_told(start_elsewhere, emulator, hide(hidden), first)


@pytest.mark.parametrize("hidden", ["runs", FOLDER])
def test_by_name_a_run_that_is_not_seen_is_begun_anew_and_both_are_found_later(
    first, start_elsewhere, hide, emulator, hidden
):
    hide(hidden)
    second = start_elsewhere()
    assert second.joined.created
    assert second.joined.folder != first.joined.folder
    emulator.control("reveal")
    assert other_runs(first.joined.store, first.joined.folder) == (second.joined.info.run_id,)


@pytest.mark.parametrize("hidden", [("run.json",), HEAD_AND_RECORD])
def test_by_name_a_folder_without_its_record_is_made_whole_and_joined(
    first, start_elsewhere, hide, emulator, open_drive, hidden
):
    """It looks as if its creator had died; both sessions end in one run, in the head that counts."""
    hide(*hidden)
    second = start_elsewhere()
    assert second.joined.folder == first.joined.folder
    emulator.control("reveal")
    for leg in (first, second):
        leg.active.lookout.began_at -= 400.0
        for _ in range(2):
            assert leg.active.service.publish_now()
    run = read_run(open_drive(), first.joined.folder)
    assert {s.session.id for s in run.sessions} == {first.joined.session, second.joined.session}
    holders = [leg.joined.session for leg in (first, second) if leg.joined.writer.record.branch is None]
    assert holders == [run.head.holder]


def test_what_the_lists_show_in_full_is_joined_without_a_word(first, start_elsewhere, hide):
    """The control: the session's own file is found by its id."""
    hide("sessions", f"{first.joined.session}.json")
    second = start_elsewhere()
    assert second.joined.folder == first.joined.folder
    assert not second.joined.created
