"""What the laptop's looking costs on Drive, in Google's quota units: what is new, not what exists."""

from __future__ import annotations

import pytest
from legs import Leg, host

from batonpass.core.model import EndKind
from batonpass.core.storage import Store
from batonpass.streamlit_app.overview import read_overview

STAT, READ = 5, 200


@pytest.fixture
def live(open_drive, tmp_path):
    """A run with five ended sessions and one that lives."""
    store: Store = open_drive()
    for number in range(5):
        one = Leg(store, tmp_path / f"home-{number}", on=host(f"machine-{number}"))
        one.train(2)
        one.save()
        one.active.close(EndKind.CLOSED)
    one = Leg(store, tmp_path / "home", on=host("machine"))
    yield one
    one.die()


@pytest.fixture
def laptop(open_drive, live):
    """The laptop's own client, which has read the story once."""
    store = open_drive()
    return store, read_overview(store, read_overview(store))


def units(emulator, work):
    emulator.control("reset_log")
    result = work()
    return emulator.log()["units"], result


def test_an_idle_look_costs_five_units_for_each_live_session(laptop, emulator):
    store, before = laptop
    for _ in range(3):
        emulator.control("reset_log")
        before = read_overview(store, before, deep=False)
        assert emulator.log()["units"] == STAT
    assert emulator.log()["bytes_out"] < 2000


def test_a_look_at_what_is_new_costs_its_content_once(live, laptop, emulator):
    store, before = laptop
    live.train(3)
    live.joined.log.flush(10)
    live.active.service.publish_now()
    cost, after = units(emulator, lambda: read_overview(store, before, deep=False))
    assert after.runs[0].files.sessions[-1].session.rows == 3
    assert cost <= STAT + STAT + READ + STAT, "its version, then version and content, then the head's version"
    assert units(emulator, lambda: read_overview(store, after, deep=False))[0] == STAT


def test_a_deep_look_finds_a_new_session_and_reads_no_old_one_again(live, laptop, emulator, open_drive, tmp_path):
    store, before = laptop
    other = Leg(open_drive(), tmp_path / "other", on=host("machine-9"), takeover=True)
    emulator.control("reset_log")
    after = read_overview(store, before, deep=True)
    assert len(after.runs[0].files.sessions) == 7
    assert emulator.log()["by_op"]["media.get"] == 2, "the head and the new session's file"
    other.die()


def test_the_control_reading_all_anew_costs_far_more(laptop, emulator):
    store, _ = laptop
    assert units(emulator, lambda: read_overview(store))[0] > 100 * STAT
