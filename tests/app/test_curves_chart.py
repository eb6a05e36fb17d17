"""The curves as they are drawn: what a hover knows, what every zoom keeps, and what each axis shows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as strategy

from batonpass.core.lineage import Leg, Role
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.stitch import stitch
from batonpass.core.metrics.table import MetricTable
from batonpass.streamlit_app.components.curves_chart import curves_option, robust_limits, session_spans
from batonpass.streamlit_app.components.curves_ghosts import GHOST_BUCKETS, MOST_GHOSTS, ghosts_of
from batonpass.streamlit_app.components.curves_lines import COLOURS, DASHES, best_of, live_line
from batonpass.streamlit_app.components.curves_look import Best, Look, Track, guess_largest
from batonpass.streamlit_app.components.curves_table import count_rows, long_table, to_csv
from batonpass.streamlit_app.components.curves_words import alt_text, under_chart
from batonpass.streamlit_app.components.session_strip import MOST, Span, merge_narrow
from batonpass.streamlit_app.curves import Axis, RunCurves
from batonpass.streamlit_app.overview import read_overview
from batonpass.streamlit_app.repository import Repository
from batonpass.sync.stores import open_store

UTC = ZoneInfo("UTC")


@pytest.fixture
def cats(store: Path) -> Track:
    return tracks_of(store)["cats-v2"]


def tracks_of(store: Path) -> dict[str, Track]:
    repository = Repository(lambda: open_store(str(store)), None)
    runs = read_overview(open_store(str(store))).runs
    return {
        r.name: Track(r.name, repository.curves(r), {s.session.id: s.session for s in r.files.sessions}) for r in runs
    }


def track_of(values: list[float], again: list[float] = (), *, keep: int = 0, name: str = "loss") -> Track:
    """One session that logged `values`, and a second that went on after `keep` of them with `again`."""
    legs = [Leg("a", Role.TRUNK, keep if again else None)]
    tables = {"a": table(values, name=name)}
    if again:
        legs.append(Leg("b", Role.TRUNK, None, began_from="a", began_row=keep, began_step=keep))
        tables["b"] = table(again, first_step=keep + 1, at=2e9, name=name)
    hours = {place: (1e9 * (place + 1), 0.0) for place in range(len(legs))}
    return Track("run", RunCurves(tuple(legs), stitch(legs, tables), hours), {})


def table(values: list[float], *, first_step: int = 1, at: float = 1e9, name: str = "loss") -> MetricTable:
    return MetricTable.from_rows(
        Row(i, first_step + i, (first_step + i) / 10, at + i, name, v) for i, v in enumerate(values)
    )


def lines(option: dict[str, Any], grid: int = 0) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Series of one grid with their points as a table, wherever the option keeps them; the strip left aside."""
    found = [s for s in option["series"] if s["xAxisIndex"] == grid and s["name"] != "sessions"]
    return [(s, option["dataset"][s["datasetIndex"]]["source"] if "datasetIndex" in s else inline(s)) for s in found]


def inline(series: dict[str, Any]) -> pd.DataFrame:
    json.dumps(series, allow_nan=False)
    return pd.DataFrame(series["data"], columns=series["dimensions"])


def test_a_ghost_names_both_sessions_and_its_every_point_knows_both_values(cats: Track) -> None:
    series = cats.curves.series["loss"]
    option, _ = curves_option([cats], Look(("loss",), weight=0.6), UTC)
    (ghost, frame), *_ = [pair for pair in lines(option) if "run again later, session 3 (L4)" in pair[0]["name"]]
    told = [frame.columns[i] for i in ghost["encode"]["tooltip"]]
    assert told == ["first value, session 3 (L4)", "recomputed in session 4 (T4)"]
    assert ghost["lineStyle"]["type"] == "dashed"
    assert ghost["lineStyle"]["opacity"] < 1
    live = dict(zip(series.live.step, series.live.value, strict=True))
    lost = series.ghosts.select(series.ghosts.session == 2)
    first = dict(zip(lost.step, lost.value, strict=True))
    rows = frame.dropna()
    assert len(rows) > 15
    for step, then, now in zip(rows["step"], rows[told[0]], rows[told[1]], strict=True):
        assert then == pytest.approx(first[step], rel=1e-6)
        assert now == pytest.approx(live[step], rel=1e-6)


def test_a_branch_is_a_ghost_that_nobody_has_recomputed(cats: Track) -> None:
    branch = [g for g in ghosts_of(cats, "loss", Look(("loss",))) if g.label.startswith("branch")]
    assert [g.first_label for g in branch] == ["value on the branch, session 7 (RTX 3060)"]
    assert branch[0].again is None


@settings(max_examples=60, deadline=None)
@given(
    strategy.lists(strategy.floats(-1e6, 1e6), min_size=2, max_size=900),
    strategy.integers(0, 899),
    strategy.lists(strategy.floats(-1e6, 1e6), min_size=1, max_size=900),
)
def test_a_ghost_of_any_length_keeps_its_extremes_and_exact_pairs(
    first: list[float], keep: int, again: list[float]
) -> None:
    keep = min(keep, len(first) - 1)
    track = track_of(first, again, keep=keep)
    found = list(ghosts_of(track, "loss", Look(("loss",))))
    lost = first[keep:]
    drawn = np.concatenate([g.first for g in found])
    assert np.nanmin(drawn) == min(lost)
    assert np.nanmax(drawn) == max(lost)
    assert all(len(g.x) <= 4 * GHOST_BUCKETS + 4 for g in found)
    for ghost in found:
        for step, then, now in zip(
            ghost.x, ghost.first, ghost.again if ghost.again is not None else ghost.first, strict=True
        ):
            if not math.isnan(then):
                assert then == first[int(step) - 1]
                assert ghost.again is None or now == again[int(step) - 1 - keep]


def test_very_many_ghosts_become_one_line_and_none_is_lost() -> None:
    count = MOST_GHOSTS + 30
    legs = [Leg(f"s{i}", Role.TRUNK, 1 if i < count else None) for i in range(count + 1)]
    tables = {
        leg.session: table([float(i), 100.0 + i], first_step=i + 1, at=1e9 + 10 * i) for i, leg in enumerate(legs)
    }
    track = Track("run", RunCurves(tuple(legs), stitch(legs, tables), {}), {})
    found = list(ghosts_of(track, "loss", Look(("loss",))))
    assert len(found) == MOST_GHOSTS + 1
    drawn = np.concatenate([g.first for g in found])
    assert sorted(drawn[~np.isnan(drawn)]) == [100.0 + i for i in range(count)]


@settings(max_examples=60, deadline=None)
@given(strategy.lists(strategy.floats(-1e6, 1e6), min_size=50, max_size=3000), strategy.data())
@pytest.mark.parametrize("log_x", [False, True])
def test_no_spike_is_lost_in_any_window(log_x: bool, values: list[float], data: strategy.DataObject) -> None:
    track = track_of(values)
    low = data.draw(strategy.integers(1, len(values) - 1))
    high = data.draw(strategy.integers(low + 1, len(values)))
    look = Look(("loss",), log_x=log_x, low=low, high=high)
    line = live_line(track, track.curves.series["loss"].live, look)
    within = line.y[(line.x >= low) & (line.x <= high)]
    assert np.nanmin(within) == min(values[low - 1 : high])
    assert np.nanmax(within) == max(values[low - 1 : high])


def test_on_a_logarithmic_axis_the_first_steps_keep_their_shape() -> None:
    track = track_of([float(i % 7) for i in range(100_000)])
    live = track.curves.series["loss"].live
    on_log = live_line(track, live, Look(("loss",), log_x=True))
    assert len(on_log.x) < 3000
    assert np.count_nonzero(on_log.x < 1000) > 200
    assert np.count_nonzero(live_line(track, live, Look(("loss",))).x < 1000) < 30, "evenly in steps they would be lost"


def test_what_a_logarithmic_axis_has_no_place_for_is_a_gap_and_said() -> None:
    track = track_of([1.0, 0.0, -2.0, 4.0])
    look = Look(("loss",), log=True)
    option, _ = curves_option([track], look, UTC)
    _, frame = lines(option)[-1]
    assert frame["loss"].isna().tolist() == [False, True, True, False]
    assert option["yAxis"][0]["type"] == "log"
    assert "2 values of zero or less" in under_chart([track], look, UTC)


def test_over_clock_time_nothing_is_drawn_between_two_sessions() -> None:
    track = track_of([1.0] * 50, [2.0] * 50, keep=50)
    line = live_line(track, track.curves.series["loss"].live, Look(("loss",), axis=Axis.CLOCK))
    between = np.flatnonzero(np.diff(line.x) > 1e6)
    assert len(between) == 1
    assert np.isnan(line.y[between[0]])


def test_a_range_cuts_the_strip_and_the_axis(cats: Track) -> None:
    option, _ = curves_option([cats], Look(("loss",), low=24_000, high=26_000), UTC)
    assert {(a["min"], a["max"]) for a in option["xAxis"]} == {(24_000, 26_000)}
    strip = option["series"][-1]["markArea"]["data"]
    assert [(a["name"], a["xAxis"], b["xAxis"]) for a, b in strip] == [
        ("3 · L4", 24_000, pytest.approx(25_020)),
        ("4 · T4", pytest.approx(25_020), 26_000),
    ]
    rules = [s["markLine"]["data"] for s in option["series"] if "markLine" in s]
    assert [rule["name"] for rule in rules[0]] == ["T4"]


@pytest.mark.parametrize(("low", "high"), [(9.0, 3.0), (5.0, 5.0), (math.inf, -math.inf)])
def test_a_range_that_is_none_shows_all(low: float, high: float) -> None:
    assert Look(("loss",), low=low, high=high).span is None


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        *(("val/acc", True), ("Top-1 Accuracy", True), ("mIoU", True)),
        *(("loss", False), ("eval_ppl", False), ("wer", False)),
        *(("learning rate", None), ("grad_norm", None), ("heatmap size", None), ("interrupts", None)),
    ],
)
def test_which_end_is_good_is_guessed_from_the_name_and_otherwise_left(name: str, largest: bool | None) -> None:
    assert guess_largest(name) is largest


@pytest.mark.parametrize(("lowest", "place"), [(0.001, "top"), (0.4, "bottom")])
def test_the_words_of_a_best_point_at_the_foot_of_the_chart_stand_above_it(lowest: float, place: str) -> None:
    """Below it they would stand on the numbers of the x axis."""
    look = Look(("loss",))
    option, _ = curves_option([track_of([2.0, 1.0, lowest, 1.0])], look, UTC)
    (label,) = [s["markPoint"]["label"] for s in option["series"] if "markPoint" in s]
    assert label["position"] == place


def test_the_best_point_is_the_logged_one_not_the_smoothed() -> None:
    values = [5.0, 4.0, 0.25, 4.0, math.nan, 3.0]
    track = track_of(values)
    assert best_of(track, "loss", Look(("loss",), weight=0.9)) == (3.0, 0.25)
    assert best_of(track, "loss", Look(("loss",), best=Best.LARGEST)) == (1.0, 5.0)
    assert best_of(track, "loss", Look(("loss",), best=Best.NONE)) is None
    option, _ = curves_option([track], Look(("loss",), weight=0.9), UTC)
    marks = [s["markPoint"]["data"][0] for s in option["series"] if "markPoint" in s]
    assert marks == [{"coord": [3.0, 0.25], "name": "best 0.25"}]


def test_outliers_leave_the_view_and_are_counted_but_stay_in_the_line() -> None:
    values = [1.0 + i % 5 / 10 for i in range(200)]
    values[77] = 1e6
    track = track_of(values)
    look = Look(("loss",), robust=True)
    limits = robust_limits([track], "loss", look)
    assert limits is not None
    assert limits[1] < 3
    option, _ = curves_option([track], look, UTC)
    assert option["yAxis"][0]["max"] == limits[1]
    assert lines(option)[-1][1]["loss"].max() == 1e6
    assert "1 value beyond the y axis" in under_chart([track], look, UTC)
    assert robust_limits([track], "loss", replace(look, robust=False)) is None


def test_ten_runs_are_told_apart_without_colour_and_only_the_first_has_ghosts(cats: Track) -> None:
    tracks = [replace_name(cats, f"run {i}") for i in range(10)]
    option, _ = curves_option(tracks, Look(("loss", "learning rate"), weight=0.5), UTC)
    assert option["legend"]["data"] == [t.name for t in tracks]
    looks = {
        (s["color"], str(s["lineStyle"]["type"]))
        for s, _ in lines(option)
        if s["name"].startswith("run ") and "·" not in s["name"]
    }
    assert len(looks) == 10
    assert len({str(d) for d in DASHES}) * len(COLOURS) >= 10
    assert {s["name"].split(" · ")[0] for s, _ in lines(option) if "·" in s["name"]} == {"run 0"}


def replace_name(track: Track, name: str) -> Track:
    return replace(track, name=name)


def test_the_raw_line_lies_faint_behind_and_the_hover_tells_both_values(cats: Track) -> None:
    option, _ = curves_option([cats], Look(("loss",), weight=0.8, ghosts=False), UTC)
    (raw, _), (main, frame) = lines(option)
    assert raw["lineStyle"]["opacity"] < 0.5
    assert [frame.columns[i] for i in main["encode"]["tooltip"]] == ["smoothed", "as logged"]
    live = cats.curves.series["loss"].live
    logged = dict(zip(live.step, live.value, strict=True))
    assert all(
        v == pytest.approx(logged[s], rel=1e-6)
        for s, v in zip(frame["step"], frame["as logged"], strict=True)
        if not math.isnan(v)
    )
    assert frame["as logged"].notna().any()


def test_the_spans_of_ten_thousand_sessions_become_so_many_as_can_be_seen() -> None:
    spans = [Span(i, float(i), i + 1.0) for i in range(10_000)]
    merged = merge_narrow(spans)
    assert len(merged) <= MOST + 1
    assert (merged[0].low, merged[-1].high) == (0.0, 10_000.0)
    assert merge_narrow(spans[:5]) == spans[:5]


def test_the_spans_of_a_run_touch_each_other_over_steps(cats: Track) -> None:
    spans = session_spans(cats, Look(("loss", "no such metric")))
    assert [s.place for s in spans] == [0, 1, 2, 3, 4, 5]
    assert all(a.high == b.low for a, b in pairwise(spans))


def test_the_table_has_every_row_and_the_newest_only_where_asked(cats: Track) -> None:
    look = Look(("loss", "learning rate"))
    whole = long_table([cats], look.metrics, look)
    assert len(whole) == count_rows([cats], look.metrics, look) == sum(len(cats.curves.series[m]) for m in look.metrics)
    newest = long_table([cats], look.metrics, look, newest=100)
    assert len(newest) == 100
    assert newest["time (UTC)"].min() >= whole["time (UTC)"].iloc[-101]
    within = long_table([cats], ("loss",), replace(look, low=1000, high=2000))
    assert (within["step"].min(), within["step"].max()) == (1000, 2000)
    both = long_table([cats, replace_name(cats, "other")], ("loss",), look)
    assert set(both["run"]) == {"cats-v2", "other"}


def test_a_name_that_a_spreadsheet_would_run_is_quoted() -> None:
    track = track_of([1.0], name="=HYPERLINK(1)")
    text = to_csv(long_table([track], ("=HYPERLINK(1)",), Look(()))).decode()
    assert "'=HYPERLINK(1)" in text
    assert "\n=HYPERLINK" not in text


def test_the_words_in_place_of_the_chart_say_where_each_metric_began_and_ended() -> None:
    track = track_of([3.0, math.nan, 1.5])
    assert alt_text([track], Look(("loss",))) == "run over 1 session: loss from 3 to 1.5"
    assert "beside 1 other run" in alt_text([track, replace_name(track, "b")], Look(("loss",)))


@pytest.mark.parametrize("axis", list(Axis))
@pytest.mark.parametrize("log", [False, True])
def test_a_metric_of_a_branch_alone_is_drawn_as_a_ghost_on_every_axis(axis: Axis, log: bool) -> None:
    legs = (Leg("a", Role.TRUNK, None), Leg("b", Role.BRANCH, None))
    tables = {"a": table([1.0, 2.0]), "b": table([3.0, 4.0], name="only here")}
    track = Track("run", RunCurves(legs, stitch(legs, tables), {0: (1e9, 0.0), 1: (1e9, 0.0)}), {})
    look = Look(("only here", "loss"), axis=axis, weight=0.5, log=log, log_x=log, robust=True)
    option, height = curves_option([track], look, UTC)
    assert height > 200
    assert any("branch" in s["name"] for s, _ in lines(option))
    assert "only here has no value" in under_chart([track], look, UTC)
    assert "loss from 1 to 2" in alt_text([track], look)
