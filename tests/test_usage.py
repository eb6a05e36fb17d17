"""Hours, stays, rests and GPUs per account; two accounts of one provider on one run within a day are noticed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lineage import NOW, session

from batonpass.core.model import End, EndKind, Gpu, Host
from batonpass.core.usage import Ending, account_use, last_seen, shared_providers, stays

T4 = Gpu("Tesla T4", 16_000_000_000)


def stay(name, began_h, hours, *, account="school", machine=None, provider="colab", end=None, gpus=(T4,), run="r"):
    """A session from `began_h` hours after NOW, for `hours`; `end` None = it fell silent."""
    began = NOW + timedelta(hours=began_h)
    until = began + timedelta(hours=hours)
    return replace(
        session(name, 1),
        run_id=run,
        account=account,
        host=Host(provider, machine or f"machine-{name}", "1-1"),
        started_at=began,
        heartbeat_at=until,
        end=End(end, until) if end else None,
        gpus=gpus,
    )


def test_hours_are_clipped_to_each_window():
    now = NOW + timedelta(days=40)
    used = account_use([stay("a", 0, 24), stay("b", 24 * 38.5, 12), stay("c", 24 * 39.5, 12)], now)["school"]
    assert (used.hours_24h, used.hours_7d, used.hours_30d) == (12.0, 24.0, 24.0)
    late = account_use([stay("a", 0, 24)], NOW + timedelta(hours=36))["school"]
    assert late.hours_24h == 12.0


def test_two_machines_at_once_count_twice_and_two_sessions_on_one_machine_once():
    now = NOW + timedelta(hours=10)
    assert account_use([stay("a", 0, 4), stay("b", 0, 4)], now)["school"].hours_24h == 8.0
    both = [stay("a", 0, 4, machine="m"), stay("b", 0, 4, machine="m")]
    assert account_use(both, now)["school"].hours_24h == 4.0


def test_a_kernel_restart_is_one_stay_and_a_new_day_another():
    first = stay("a", 0, 1, machine="m", end=EndKind.RESTARTED)
    found = stays([first, stay("b", 1.1, 2, machine="m"), stay("c", 24, 1, machine="m")], NOW + timedelta(days=2))
    assert [s.sessions for s in found] == [("a", "b"), ("c",)]
    assert found[0].length_s == pytest.approx(3.1 * 3600)


@pytest.mark.parametrize(
    ("end", "silent_s", "ending", "censored"),
    [
        (None, 10, Ending.STILL_THERE, True),
        (None, 10_000, Ending.VANISHED, False),
        *((kind, 10_000, Ending.BY_YOU, True) for kind in EndKind),
    ],
)
def test_only_a_machine_that_fell_silent_tells_how_long_it_was_let_run(end, silent_s, ending, censored):
    found = stays([stay("a", 0, 1, end=end)], NOW + timedelta(hours=1, seconds=silent_s))[0]
    assert (found.ending, found.censored) == (ending, censored)


def test_the_rest_before_a_stay_is_the_accounts_own():
    found = stays(
        [stay("a", 0, 2), stay("b", 5, 1), stay("c", 5.5, 1), stay("x", 3, 1, account="lab")], NOW + timedelta(9)
    )
    assert {s.sessions[0]: s.rest_s for s in found} == {"a": None, "b": 3 * 3600.0, "c": 0.0, "x": None}


def test_gpus_are_counted_per_stay():
    sessions = [stay("a", 0, 1), stay("b", 2, 1), stay("c", 4, 1, gpus=(T4, T4)), stay("d", 6, 1, gpus=())]
    gpus = account_use(sessions, NOW + timedelta(days=1))["school"].gpus
    assert gpus == {"Tesla T4": 2, "2 x Tesla T4": 1, "no GPU": 1}


def test_two_accounts_of_one_provider_on_one_run_within_a_day_are_noticed():
    one, two = stay("a", 0, 2), stay("b", 25, 1, account="private")
    found = shared_providers([one, two])
    assert [(f.run_id, f.provider, f.accounts, f.at) for f in found] == [
        ("r", "colab", ("private", "school"), last_seen(two))
    ]


@pytest.mark.parametrize(
    "other",
    [
        stay("b", 26.5, 1, account="private"),
        stay("b", 3, 1),
        stay("b", 3, 1, account="private", provider="kaggle"),
        stay("b", 3, 1, account="private", run="another"),
    ],
    ids=["a day apart", "one account", "two providers", "two runs"],
)
def test_what_no_provider_forbids_is_not_flagged(other):
    assert shared_providers([stay("a", 0, 2), other]) == []


def test_ones_own_computers_are_never_flagged():
    assert shared_providers([stay("a", 0, 2, provider="other"), stay("b", 1, 2, account="lab", provider="other")]) == []


def test_a_clock_that_ran_backwards_gives_no_negative_length():
    odd = replace(stay("a", 0, 1), heartbeat_at=NOW - timedelta(days=1))
    found = stays([odd], NOW + timedelta(days=1))[0]
    assert found.length_s == 0.0
    assert account_use([], NOW) == {}
    assert shared_providers([]) == []


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 30), st.sampled_from("xy"), st.sampled_from(["m", "n", "o"])),
        max_size=12,
    )
)
def test_no_hour_is_counted_that_did_not_pass(spans):
    sessions = [stay(f"s{i}", b, h, account=a, machine=f"{a}{m}") for i, (b, h, a, m) in enumerate(spans)]
    now = NOW + timedelta(hours=140)
    every = stays(sessions, now)
    assert sorted(name for s in every for name in s.sessions) == sorted(s.id for s in sessions)
    for used in account_use(sessions, now).values():
        machines = len({s.machine for s in used.stays})
        assert 0 <= used.hours_24h <= 24 * machines + 1e-6
        assert used.hours_24h <= used.hours_7d <= used.hours_30d
        assert sum(used.gpus.values()) == len(used.stays)


def paired_by_brute_force(sessions):
    """The accounts and the last moment of each run and provider, by looking at every pair."""
    found = {}
    for one in sessions:
        for other in sessions:
            first, second = sorted((one, other), key=lambda s: s.started_at)
            close = second.started_at - last_seen(first) < timedelta(hours=24)
            key = (one.run_id, one.host.provider)
            if close and one.account != other.account and key == (other.run_id, other.host.provider):
                accounts, at = found.get(key, (set(), NOW - timedelta(days=999)))
                found[key] = (accounts | {one.account, other.account}, max(at, last_seen(one), last_seen(other)))
    return {key: (tuple(sorted(accounts)), at) for key, (accounts, at) in found.items()}


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 60), st.sampled_from("abcd"), st.sampled_from("rs")), max_size=14
    )
)
def test_the_sweep_over_accounts_finds_what_every_pair_would_tell(drawn):
    sessions = [stay(f"s{n}", h, long, account=a, run=r) for n, (h, long, a, r) in enumerate(drawn)]
    found = {(s.run_id, s.provider): (s.accounts, s.at) for s in shared_providers(sessions)}
    assert found == paired_by_brute_force(sessions)
