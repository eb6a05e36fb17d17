"""The other processes of a training have the same run, without anything that speaks to a store; the lead speaks rarely and is never late."""

from __future__ import annotations

import inspect
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core.errors import BatonpassError, NotOurFolderError, UsageError
from batonpass.core.training.ranks import World, find_world
from batonpass.following import Follower
from batonpass.leading import MOST_BOUNDARIES, SPEAK_EVERY_S, Pace
from batonpass.run import Run
from batonpass.verdicts import heard, verdict

ONLY_THE_LEADS = ("_active", "_saver", "_options", "_snapshotter", "_open_session", "_team")


def sources(kind: type) -> dict[str, str]:
    functions = {n: getattr(m, "fget", m) for n, m in vars(kind).items()}
    return {n: inspect.getsource(f) for n, f in functions.items() if inspect.isfunction(f)}


def test_whatever_a_follower_inherits_touches_nothing_that_only_the_lead_has():
    inherited = {n: s for n, s in sources(Run).items() if n not in vars(Follower)}
    reached = {n: s for n, s in inherited.items() if not n.startswith("_") or n in {"__enter__", "__exit__"}}
    for asked_of_the_lead in ("lead", "facts"):  # by `start` and by its service
        reached.pop(asked_of_the_lead)
    assert reached
    assert not {n: attribute for n, s in reached.items() for attribute in ONLY_THE_LEADS if f"self.{attribute}" in s}


def test_the_same_search_finds_what_the_lead_does():
    assert "self._active" in sources(Run)["finish"]


def test_an_error_keeps_its_kind_and_its_hint_on_the_way_to_the_other_processes():
    with pytest.raises(NotOurFolderError, match=r"rank 0.*: not ours") as caught:
        heard(verdict(NotOurFolderError("not ours", hint="do that")))
    assert caught.value.hint == "do that"
    with pytest.raises(BatonpassError, match="KeyError: 'x'"):
        heard(verdict(KeyError("x")))


def test_processes_of_torchrun_that_are_not_connected_are_told_so():
    with pytest.raises(UsageError, match="one of 2 processes") as caught:
        find_world({"WORLD_SIZE": "2", "RANK": "1"})
    assert "init_process_group" in caught.value.hint
    assert find_world({"WORLD_SIZE": "1", "RANK": "0"}) == find_world({}) == World(0, 1)


@given(st.lists(st.floats(1e-5, 30), min_size=1, max_size=60))
def test_the_lead_speaks_soon_however_long_the_steps_become(steps_s):
    now = 0.0
    pace = Pace(lambda: now)
    for step_s in steps_s:
        count = pace.boundaries()
        assert 1 <= count <= MOST_BOUNDARIES
        now += count * step_s
    for _ in range(2):
        now += pace.boundaries() * 2 * SPEAK_EVERY_S
    assert pace.boundaries() == 1


def test_where_steps_are_short_it_speaks_rarely():
    now = 0.0
    pace = Pace(lambda: now)
    counts = []
    for _ in range(8):
        counts.append(pace.boundaries())
        now += counts[-1] * 0.001
    assert counts[-1] == MOST_BOUNDARIES
    assert all(after <= 2 * before for before, after in pairwise(counts))


def test_a_channel_that_was_closed_never_falls_back_on_the_trainings_own_group():
    """To torch `group=None` means the default group: a word of ours in there would be taken for a gradient."""
    from batonpass.core.errors import RankLostError
    from batonpass.core.training.ranks import Channel, World

    channel = object.__new__(Channel)
    channel.world = World(0, 2)
    channel.close()
    for talk in (lambda: channel.number(1), lambda: channel.message(b"x"), lambda: channel.answers(b"x")):
        with pytest.raises(RankLostError, match="finished"):
            talk()
