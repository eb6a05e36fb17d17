"""What is said of a user's own log: survival with its band, and forecasts put together from past sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonpass.core.usage import Ending, Stay
from batonpass.streamlit_app.estimates.finish import ENOUGH_TURNS, simulate_finish
from batonpass.streamlit_app.estimates.forecast import forecast
from batonpass.streamlit_app.estimates.history import History, Turn, read_history
from batonpass.streamlit_app.estimates.survival import survival
from batonpass.streamlit_app.overview import read_overview
from batonpass.streamlit_app.standing import read_standing
from batonpass.sync.stores import open_store

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = 3600.0


def stay(hours: float, ending: Ending) -> Stay:
    return Stay("a", "colab", "m", NOW, NOW + timedelta(hours=hours), ending, (), ())


def test_a_stay_that_was_ended_by_hand_counts_as_at_least_that_long() -> None:
    vanished = [stay(h, Ending.VANISHED) for h in (1, 2, 3)]
    plain = survival([*vanished, stay(2.5, Ending.VANISHED)])
    censored = survival([*vanished, stay(2.5, Ending.BY_YOU)])
    assert plain.at(0)[0] == censored.at(0)[0] == 1.0
    assert censored.at(2.5)[0] == pytest.approx(0.5)
    assert plain.at(2.5)[0] == pytest.approx(0.25)
    assert (censored.n, censored.vanished, censored.median_hours) == (4, 3, 2.0)


def test_where_nothing_vanished_there_is_no_curve() -> None:
    assert survival([stay(1, Ending.BY_YOU)] * 9) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 1e4, allow_subnormal=False), st.sampled_from([Ending.VANISHED, Ending.BY_YOU])),
        min_size=1,
        max_size=30,
    )
)
def test_the_band_holds_the_curve_and_stays_between_0_and_1(found) -> None:
    curve = survival([stay(h, e) for h, e in found])
    if curve is None:
        assert all(e is Ending.BY_YOU for _, e in found)
        return
    assert np.all((curve.low >= 0) & (curve.low <= curve.share) & (curve.share <= curve.high) & (curve.high <= 1))
    assert np.all(np.diff(curve.share) <= 1e-12)


def test_more_stays_make_the_band_narrower() -> None:
    few = survival([stay(h, Ending.VANISHED) for h in (1, 2, 3, 4)])
    many = survival([stay(h, Ending.VANISHED) for h in (1, 2, 3, 4) * 10])
    assert many.at(2)[2] - many.at(2)[1] < 0.5 * (few.at(2)[2] - few.at(2)[1])


def turns(count: int, *, steps: int = 1000, hours: float = 2.0, rest_h: float = 1.0) -> tuple[Turn, ...]:
    return tuple(Turn(steps, hours * HOUR, rest_h * HOUR if n else None) for n in range(count))


def test_equal_sessions_give_the_plain_division() -> None:
    found = simulate_finish(History(turns(8)), 2500)
    pauses_and_sessions_s = (1 + 2 + 1 + 2 + 1 + 1) * HOUR
    assert found.within(0.1) == found.within(0.9) == pytest.approx(pauses_and_sessions_s)
    assert found.chance_within(pauses_and_sessions_s + 1) == 1.0
    assert found.chance_within(pauses_and_sessions_s - 1) == 0.0


def test_a_live_session_goes_on_at_its_own_pace_for_what_is_left_of_it() -> None:
    found = simulate_finish(History(turns(8), live_for_s=HOUR, live_steps=1000), 500)
    assert found.within(0.5) == pytest.approx(HOUR / 2)


def test_a_pause_that_has_lasted_is_not_begun_again() -> None:
    long_rest = simulate_finish(History(turns(8), resting_s=0.75 * HOUR), 100)
    assert long_rest.within(0.5) == pytest.approx(0.25 * HOUR + 0.2 * HOUR)


def test_below_five_sessions_or_without_any_progress_nothing_is_simulated() -> None:
    assert simulate_finish(History(turns(ENOUGH_TURNS - 1)), 100) is None
    assert simulate_finish(History(turns(9, steps=0)), 100) is None


def test_what_would_take_for_ever_never_arrives_and_is_no_error() -> None:
    found = simulate_finish(History(turns(6, steps=1)), 10**18)
    assert found.chance_within(1e18) == 0.0
    assert found.within(0.1) == np.inf


def test_the_same_history_gives_the_same_answer_and_does_not_flicker() -> None:
    mixed = (*turns(4), *turns(5, steps=9000, hours=7.0))
    one, other = (simulate_finish(History(mixed), 30_000) for _ in range(2))
    assert np.array_equal(one.after_s, other.after_s)
    assert one.within(0.1) < one.within(0.9), "and it says how wide the futures lie"


def test_the_sample_is_forecast_with_the_sessions_behind_it(store) -> None:
    overview = read_overview(open_store(str(store)))
    by_name = {r.name: r for r in overview.runs}
    many, few = by_name["cats-v2"], by_name["speech-distil"]
    guess = forecast(many, read_standing(many, overview.read_at), overview.read_at)
    assert guess.n == 6
    assert guess.finish.n == 5, "the live one is not over"
    assert overview.read_at < guess.by(0.1, overview.read_at) <= guess.by(0.9, overview.read_at)
    small = forecast(few, read_standing(few, overview.read_at), overview.read_at)
    assert (small.n, small.finish) == (3, None)
    done = by_name["digits-baseline"]
    assert forecast(done, read_standing(done, overview.read_at), overview.read_at) is None


def test_a_session_brought_what_the_next_one_did_not_run_again(store) -> None:
    overview = read_overview(open_store(str(store)))
    run = next(r for r in overview.runs if r.name == "cats-v2")
    history = read_history(run, overview.read_at, live=True)
    assert history.turns[0].steps == 7_200, "its last step was 7,310"
    assert history.turns[0].rest_s is None
    assert history.live_for_s > 0
