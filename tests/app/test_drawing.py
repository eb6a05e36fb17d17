"""What the charts, the pet and the numbers are made of, without a page."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as strategy

from batonpass.core.lineage import Leg, Role
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.stitch import Series, stitch
from batonpass.core.metrics.table import MetricTable
from batonpass.core.states import Word
from batonpass.streamlit_app.components.pet import mood
from batonpass.streamlit_app.components.pet_drawing import COATS, Mood, draw
from batonpass.streamlit_app.curves import Axis, RunCurves
from batonpass.streamlit_app.curves import draw as draw_line
from batonpass.streamlit_app.overview import read_overview
from batonpass.streamlit_app.preferences import NEW_VISIT_AFTER, Visit
from batonpass.streamlit_app.sample import write_sample
from batonpass.streamlit_app.standing import read_standing
from batonpass.streamlit_app.wording import ago, count, duration, local, number, size
from batonpass.sync.stores import open_store

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def series_of(values: list[float]) -> Series:
    table = MetricTable.from_rows(Row(i, i + 1, 0.0, 1e9 + i, "loss", v) for i, v in enumerate(values))
    return stitch([Leg("a", Role.TRUNK, None)], {"a": table})["loss"]


@settings(max_examples=50)
@given(strategy.lists(strategy.floats(-1e9, 1e9), min_size=30, max_size=400), strategy.integers(1, 9))
def test_thinning_never_loses_the_highest_and_the_lowest_value(values: list[float], buckets: int) -> None:
    series = series_of(values)
    line = draw_line(series, series.step.astype(np.float64), buckets=buckets)
    assert np.nanmin(line.y) == min(values)
    assert np.nanmax(line.y) == max(values)
    assert len(line.x) <= max(len(values), 2 * buckets)
    assert (np.diff(line.x) >= 0).all()


def test_values_that_are_no_numbers_are_gaps_and_nothing_else() -> None:
    series = series_of([1.0, math.nan, math.inf, -math.inf, 2.0])
    line = draw_line(series, series.step.astype(np.float64))
    assert np.isnan(line.y).tolist() == [False, True, True, True, False]


def test_hours_of_training_leave_the_pauses_out() -> None:
    first = MetricTable.from_rows(Row(i, i + 1, 0.0, i * 3600.0, "loss", 1.0) for i in range(3))
    second = MetricTable.from_rows(Row(i, i + 3, 0.0, 1e6 + i * 3600.0, "loss", 1.0) for i in range(3))
    legs = (Leg("a", Role.TRUNK, 2), Leg("b", Role.TRUNK, None, "a", 2, 2))
    from batonpass.streamlit_app.curves import _hours

    tables = {"a": first, "b": second}
    curves = RunCurves(legs, stitch(legs, tables), _hours(legs, tables))
    live = curves.series["loss"].live
    assert curves.x(live, Axis.HOURS).tolist() == [0.0, 1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("pet", [*COATS, "an unknown one"])
@pytest.mark.parametrize("pose", Mood)
def test_each_picture_is_whole_and_stands_still_for_those_who_ask_for_less_motion(pet: str, pose: Mood) -> None:
    picture = draw(pet, pose)
    ET.fromstring(picture)
    assert "prefers-reduced-motion:reduce" in picture
    assert "script" not in picture


def test_the_pet_sleeps_while_quiet_runs_while_live_and_sits_once_durable() -> None:
    assert mood(live=False, durable=False) is Mood.SLEEPING
    assert mood(live=True, durable=False) is Mood.RUNNING
    assert mood(live=True, durable=True) is Mood.SITTING


def test_the_sample_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def make(seed: int) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        write_sample(lambda key, body, _: files.__setitem__(key, body), now=NOW, seed=seed)
        return files

    assert make(1) == make(1)
    assert make(1) != make(2)


def test_the_sample_tells_the_stories_that_the_pages_are_there_for(store) -> None:
    overview = read_overview(open_store(str(store)))
    assert overview.broken == ()
    states = {r.name: read_standing(r, overview.read_at).state.word for r in overview.runs}
    assert states == {"cats-v2": Word.LIVE, "speech-distil": Word.FAILED, "digits-baseline": Word.PROVEN}
    sessions = [s.session for r in overview.runs for s in r.files.sessions]
    assert len(sessions) == 12
    assert sum(1 for s in sessions if s.branch) == 1


def test_looking_again_soon_is_the_same_visit() -> None:
    first = Visit(NOW, steps={"a": 1})
    again = first.next(NOW + NEW_VISIT_AFTER / 2, {"a": 5})
    assert again.before is None
    later = again.next(again.seen_at + NEW_VISIT_AFTER, {"a": 9})
    assert later.before == again.seen_at
    assert later.steps_before == {"a": 5}


@pytest.mark.parametrize("value", [None, 0, -1, 10**400, 1e308, math.nan, math.inf])
def test_no_number_is_too_strange_to_be_said(value) -> None:
    for say in (count, number, size, duration, ago):
        try:
            assert say(value)
        except OverflowError:
            pytest.fail(f"{say.__name__} of {value!r:.20}")


def test_times_are_said_in_the_readers_own_zone() -> None:
    assert local(NOW, ZoneInfo("Asia/Tokyo")) == "Mon 23 Nov, 17:00"
