"""What is drawn of a run: every extreme at every zoom, every row once, and only what is new parsed again."""

from dataclasses import replace
from datetime import UTC

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.histories import ACTIONS, play, value_of
from streamlit.testing.v1 import AppTest

from batonpass.core.errors import FormatError
from batonpass.core.lineage import Leg, Role, legs
from batonpass.core.metrics.logfile import read_rows
from batonpass.core.metrics.row import Row, encode_line
from batonpass.core.metrics.segments import describe_segment, encode_segment
from batonpass.core.metrics.stitch import Series, stitch
from batonpass.core.metrics.table import MetricTable
from batonpass.streamlit_app.components.curves_chart import curves_option
from batonpass.streamlit_app.components.curves_look import Look, Track
from batonpass.streamlit_app.curves import RunCurves, best_point, draw, robust_range
from batonpass.streamlit_app.kept_curves import KeptCurves
from batonpass.streamlit_app.parsed import ParsedSegments


def curve(points):
    """(step, value, piece) of each row, by piece and step."""
    step, value, piece = (np.array(c) for c in zip(*points, strict=True))
    piece, zeros = piece.astype(np.int32), np.zeros(len(step))
    return Series(
        "x",
        np.arange(len(step)),
        step.astype(np.int64),
        zeros.astype(np.float32),
        zeros,
        value.astype(np.float64),
        piece,
        piece,
    )


POINTS = st.lists(
    st.tuples(st.integers(0, 60), st.floats(), st.integers(0, 2)), min_size=1, max_size=120, unique_by=lambda p: p[::2]
).map(lambda points: sorted(points, key=lambda p: (p[2], p[0])))


def lost_extremes(series, line, low, high):
    """The finite minimum and maximum of each piece's rows from step `low` to `high`, those of them that the line lacks."""
    lost = []
    for piece in np.unique(series.piece):
        own = series.value[(series.piece == piece) & (series.step >= low) & (series.step <= high)]
        finite = own[np.isfinite(own)]
        lost += [v for v in ((finite.min(), finite.max()) if len(finite) else ()) if v not in line.y]
    return lost


@given(POINTS, st.integers(1, 12), st.integers(-5, 62), st.integers(0, 70))
@settings(max_examples=500, deadline=None)
def test_no_spike_is_lost_at_any_zoom(points, buckets, first, length):
    series = curve(points)
    window = (first, first + length)
    line = draw(series, series.step.astype(float), buckets=buckets, span=window)
    assert lost_extremes(series, line, *window) == []
    drawn = line.y[np.isfinite(line.y)]
    assert np.isin(drawn, series.value).all()  # and nothing is invented
    assert not np.isinf(line.y).any()


@given(POINTS, st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_each_bucket_is_drawn_with_its_exact_extremes(points, buckets):
    series = curve(points)
    line = draw(series, series.step.astype(float), buckets=buckets)
    if len(series) <= 2 * buckets:
        return
    low = min(p[0] for p in points)
    width = max((max(p[0] for p in points) - low + 1.0) / buckets, 1.0)
    edges = low + width * np.arange(1, buckets)
    held = {}
    for step, value, piece in points:
        held.setdefault((piece, int((edges <= step).sum())), []).append(value)
    expected = []
    for values in held.values():
        finite = [v for v in values if np.isfinite(v)]
        expected += [min(finite), max(finite)] if finite else []
    assert sorted(line.y[np.isfinite(line.y)].tolist()) == sorted(expected)


def test_a_curve_thinned_by_leaving_out_points_is_noticed():
    series = curve([(k, 100.0 if k == 501 else 1.0, 0) for k in range(1000)])
    every_tenth = draw(series.select(np.arange(0, 1000, 10)), np.arange(0.0, 1000.0, 10.0), buckets=100)
    assert lost_extremes(series, every_tenth, 0, 999) == [100.0]
    assert lost_extremes(series, draw(series, np.arange(1000.0), buckets=10), 0, 999) == []


@given(ACTIONS, st.integers(0, 12), st.randoms(use_true_random=False))
@settings(max_examples=1000, deadline=None)
def test_every_row_of_every_history_is_kept_and_none_is_drawn_twice(tmp_path_factory, actions, torn, random):
    history, _ = play(actions)
    victim = random.choice(history.sessions).id
    history.rows[victim] = torn_and_read(tmp_path_factory.getbasetemp() / "torn.jsonl", history.rows[victim], torn)
    found = legs(history.head, history.sessions)
    series = stitch(found, history.tables)
    rows = sorted((found[i].session, int(r)) for s in series.values() for i, r in zip(s.session, s.row, strict=True))
    assert rows == sorted((name, row.row) for name, own in history.rows.items() for row in own)
    for each in series.values():
        live, ghosts = each.live, each.ghosts
        assert len(live) + len(ghosts) == len(each)
        assert len(np.unique(live.step)) == len(live)
        for part in (live, ghosts):
            line = draw(part, part.step.astype(float))
            drawn = line.y[~np.isnan(line.y)]
            assert np.array_equal(drawn, part.value)
    for name in series:
        live = series[name].live
        assert live.value.tolist() == [value_of(name, s) for s in live.step.tolist()]


def torn_and_read(path, rows, torn):
    """What a reader finds of a log whose last line lost its last `torn` bytes in a kill, cut within that line."""
    lines = [encode_line(row, f'"{row.name}"').encode() for row in rows]
    if lines and torn:
        lines[-1] = lines[-1][:-torn]
    path.write_bytes(b"".join(lines))
    return read_rows(path)


def test_a_window_reaches_its_edges_by_the_neighbours_outside():
    series = curve([(k, float(k), 0) for k in range(0, 100, 10)])
    line = draw(series, series.step.astype(float), span=(35.0, 55.0))
    assert line.x.tolist() == [30.0, 40.0, 50.0, 60.0]


def test_a_window_between_two_points_is_crossed_by_their_line():
    series = curve([(k, float(k), 0) for k in range(0, 100, 10)])
    line = draw(series, series.step.astype(float), span=(41.0, 49.0))
    assert line.x.tolist() == [40.0, 50.0]


@pytest.mark.parametrize("span", [(200.0, 300.0), (np.nan, np.nan), (55.0, 35.0)])
def test_a_window_that_holds_nothing_draws_nothing(span):
    series = curve([(k, float(k), 0) for k in range(0, 100, 10)])
    assert len(draw(series, series.step.astype(float), span=span).x) == 0


def test_the_best_point_and_the_usual_range_leave_out_what_is_no_number():
    series = curve([(1, np.inf, 0), (2, 3.0, 0), (3, np.nan, 0), (4, -2.0, 0), (5, -np.inf, 0)])
    assert best_point(series, largest=True) == (1, 3.0)
    assert best_point(series, largest=False) == (3, -2.0)
    low, high = robust_range(series.value)
    assert -2.0 <= low < high <= 3.0


def segment_of(number, rows=50):
    listed = [Row(number * rows + k, k, 0.0, 1.0, "loss", float(number)) for k in range(rows)]
    body = encode_segment(listed)
    return describe_segment(f"metrics/s-{number}.parquet", listed, body), body


def test_only_new_segments_are_fetched_and_parsed_and_the_budget_holds():
    bodies = [segment_of(n) for n in range(4)]
    asked = []

    def fetch(segment):
        asked.append(segment.key)
        return {s.key: b for s, b in bodies}[segment.key]

    one = MetricTable.size_bytes.fget(ParsedSegments(fetch).read(bodies[0][0]))
    asked.clear()
    parsed = ParsedSegments(fetch, budget_bytes=3 * one)
    for segment, _ in [*bodies[:3], *bodies[:3]]:
        parsed.read(segment)
    assert len(asked) == 3
    parsed.read(bodies[3][0])  # the least lately used, the first, goes
    assert parsed.size_bytes <= 3 * one
    parsed.read(bodies[1][0])
    parsed.read(bodies[2][0])
    assert len(asked) == 4
    parsed.read(bodies[0][0])
    assert len(asked) == 5


def test_a_segment_that_could_not_be_read_is_asked_for_again():
    segment, body = segment_of(1)
    answers = [b"torn", body]
    parsed = ParsedSegments(lambda _: answers.pop(0))
    with pytest.raises(FormatError):
        parsed.read(segment)
    assert len(parsed.read(segment)) == 50


def test_the_same_bytes_listed_by_two_sessions_are_one_table_and_two_stretches():
    segment, body = segment_of(1)
    parsed = ParsedSegments(lambda _: body)
    tables = {"a": parsed.read(segment), "b": parsed.read(replace(segment, key="metrics/t-0.parquet"))}
    series = stitch([Leg("a", Role.TRUNK, None), Leg("b", Role.BRANCH, 0)], tables)["loss"]
    assert (len(series.live), len(series.ghosts)) == (50, 50)


def message_bytes(option, height):
    """The size of what Streamlit sends to the browser for a chart."""

    def page(option, height):
        import streamlit as st

        st.echarts_chart(option, height=height, alt="curves")

    test = AppTest.from_function(page, args=(option, height)).run()
    assert not test.exception
    return test.main.children[0].proto.ByteSize()


@pytest.mark.parametrize("weight", [0.0, 0.9])
def test_a_chart_of_one_metric_and_eight_rewound_sessions_sends_25_kilobytes_at_most(weight):
    each, again = 2000, 100
    found, tables, noise = [], {}, np.random.default_rng(1).random(10 * each)
    for k in range(8):
        rows = [
            Row(n, step, 0.0, 1e9 + step, "loss", float(noise[step]))
            for n, step in enumerate(range(k * each - (again if k else 0), (k + 1) * each))
        ]
        tables[f"s{k}"] = MetricTable.from_rows(rows)
        found.append(Leg(f"s{k}", Role.TRUNK, len(rows) - again if k < 7 else None))
    track = Track("run", RunCurves(tuple(found), stitch(found, tables), {}), {})
    assert len(track.ghosts("loss")) == 7 * again
    assert message_bytes(*curves_option([track], Look(("loss",), weight=weight), UTC)) <= 25_000


def test_curves_are_kept_by_version_within_their_budget_and_the_newest_always():
    def curves():
        return RunCurves((), {"loss": curve([(k, 1.0, 0) for k in range(100)])}, {})

    one = curves().size_bytes
    made = []

    def ask(kept, folder, version=1):
        return kept.get(folder, version, lambda: made.append(folder) or curves())

    kept = KeptCurves(budget_bytes=2 * one)
    for folder in ("a", "b", "a", "b", "c", "b"):  # with c the oldest, a, goes
        ask(kept, folder)
    assert made == ["a", "b", "c"]
    ask(kept, "a")
    ask(kept, "b", version=2)
    kept.drop("b")
    ask(kept, "b", version=2)
    assert made == ["a", "b", "c", "a", "b", "b"]
    assert kept.size_bytes <= 2 * one
    tiny = KeptCurves(budget_bytes=1)
    assert ask(tiny, "a") is ask(tiny, "a")


def test_an_older_version_of_a_long_run_is_let_go_of_before_the_next_is_made():
    def versions(kept):
        held = []

        def make():
            held.append(kept.size_bytes)
            return RunCurves((), {"loss": curve([(1, 1.0, 0)])}, {})

        kept.get("a", 1, make)
        kept.get("a", 2, make)
        kept.renew("a", 3, make)
        kept.renew("b", 1, make)
        return [size > 0 for size in held]

    assert versions(KeptCurves(twice_bytes=0)) == [False, False], "a long run, never held twice"
    assert versions(KeptCurves()) == [False, True, True]


def test_curves_that_cannot_be_made_ahead_keep_the_story_from_nobody() -> None:
    kept = KeptCurves()

    def fail() -> RunCurves:
        raise OverflowError("boom")

    kept.get("a", 1, lambda: RunCurves((), {}, {}))
    kept.renew("a", 2, fail)
    with pytest.raises(OverflowError):
        kept.get("a", 2, fail)


def test_what_went_wrong_in_making_curves_is_told_to_who_asked_and_tried_again():
    kept = KeptCurves()

    def fail():
        raise RuntimeError("boom")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="boom"):
            kept.get("a", 1, fail)
    assert kept.get("a", 1, lambda: RunCurves((), {}, {})) is not None
