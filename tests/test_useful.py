"""Useful hours: trained and saved; and units at rates with a date, the user's own before those that come along."""

from dataclasses import replace
from datetime import timedelta

import pytest
from test_lineage import NOW, listing, session
from test_usage import stay

from batonpass.core.codec import decode, encode
from batonpass.core.model import Account, Gpu, ResumeRecord, UnitRate
from batonpass.core.unit_rates import rate_table, units_left, units_used
from batonpass.core.usage import at_once, stays
from batonpass.core.useful import useful_hours, useful_shares

HOUR = 3600.0
L4 = Gpu("NVIDIA L4", 23_000_000_000)


def trained(name, began_h, hours, *, trained_h, saved_h=None, steps=100, **more):
    """A session of 100 steps whose newest checkpoint holds `saved_h` hours of training."""
    found = replace(stay(name, began_h, hours, **more), trained_s=trained_h * HOUR, step=steps, steps_done=steps)
    if saved_h is None:
        return found
    return replace(found, checkpoints=(replace(listing(name, 10), trained_s=saved_h * HOUR),))


def test_only_training_that_a_checkpoint_holds_is_useful():
    every = [trained("a", 0, 4, trained_h=3, saved_h=2), trained("b", 5, 4, trained_h=3)]
    shares = useful_shares(every)
    assert shares == {"a": 0.5, "b": 0.0}
    assert useful_hours(every, shares, NOW, NOW + timedelta(days=1)) == pytest.approx(2.0)
    assert useful_hours(every, shares, NOW + timedelta(hours=3), NOW + timedelta(days=1)) == pytest.approx(0.5)


def test_a_checkpoint_that_was_removed_counts_where_the_run_went_on_from_it():
    first = trained("a", 0, 4, trained_h=4)
    second = replace(trained("b", 5, 1, trained_h=1), resumed_from=ResumeRecord("a", "gone", 75, 0))
    assert useful_shares([first, second])["a"] == pytest.approx(0.75)
    elsewhere = replace(second, run_id="another run")
    assert useful_shares([first, elsewhere])["a"] == 0.0


@pytest.mark.parametrize("trained_h", [float("nan"), float("inf"), -5.0, 1e300])
def test_absurd_numbers_never_make_more_than_the_machine_was_there(trained_h):
    share = useful_shares([trained("a", 0, 4, trained_h=trained_h, saved_h=1e300)])["a"]
    assert 0.0 <= share <= 1.0


def test_most_at_once_counts_machines_that_overlap_and_none_that_follow():
    now = NOW + timedelta(hours=10)
    every = stays([stay("a", 0, 4), stay("b", 3, 2), stay("c", 5, 2), stay("d", 9, 1)], now)
    held = at_once(every)
    assert (held.now, held.most, held.most_at) == (1, 2, NOW + timedelta(hours=3))
    assert at_once([]).most_at is None


def test_an_own_rate_goes_before_the_one_that_comes_along_and_counts_on_every_provider():
    account = Account("school", unit_rates=(UnitRate("L4", 2.0, NOW),))
    rates = rate_table(account, colab=True)
    assert {r.gpu: r.per_hour for r in rates}["L4"] == 2.0
    every = stays(
        [
            stay("a", 0, 2),
            stay("b", 3, 2, gpus=(L4,), provider="lightning"),
            stay("c", 6, 2, provider="kaggle"),
            stay("d", 9, 1, gpus=()),
        ],
        NOW + timedelta(days=1),
    )
    used = units_used(every, rates, NOW, NOW + timedelta(days=1))
    assert used.units == pytest.approx(2 * 1.19 + 2 * 2.0)
    assert (used.hours, used.unknown_hours, used.n) == (4.0, 3.0, 4)


def test_what_is_left_is_what_was_typed_less_what_came_after_and_never_below_nothing():
    account = Account("school", units=3.0, units_seen_at=NOW + timedelta(hours=1))
    every = stays([stay("a", 0, 2)], NOW + timedelta(days=1))
    rates = rate_table(account, colab=True)
    assert units_left(account, every, rates, NOW + timedelta(days=1)) == pytest.approx(3.0 - 1.19)
    assert units_left(replace(account, units=0.5), every, rates, NOW + timedelta(days=1)) == 0.0
    assert units_left(replace(account, units=float("nan")), every, rates, NOW) is None
    assert units_left(replace(account, units=None), every, rates, NOW) is None


def test_a_rate_that_is_no_number_of_units_is_left_out():
    bad = (UnitRate("L4", float("nan"), NOW), UnitRate("T4", -1.0, NOW), UnitRate("H100 SXM", 1e30, NOW))
    assert rate_table(Account("a", unit_rates=bad), colab=False) == ()


def test_rates_survive_the_file_and_an_older_file_has_none():
    account = Account("a", unit_rates=(UnitRate("L4", 1.8, NOW),))
    assert decode(Account, encode(account)) == account
    assert decode(Account, b'{"label": "a"}').unit_rates == ()
    assert hash(account) != hash(Account("a"))


def test_a_session_without_a_length_has_no_useful_share():
    assert useful_shares([replace(session("a", 1), trained_s=5.0)])["a"] in (0.0, pytest.approx(0.0))
