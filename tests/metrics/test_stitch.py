"""One story out of many sessions: no row lost, none drawn twice, nothing smoothed across a rewind."""

from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.histories import ACTIONS, History, play, value_of

import batonpass.core.metrics.stitch as stitch_module
from batonpass.core.lineage import Leg, Role, legs
from batonpass.core.metrics.downsample import envelope
from batonpass.core.metrics.resume_check import check_resumes
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.smoothing import smooth, smooth_at
from batonpass.core.metrics.stitch import Series, stitch
from batonpass.core.metrics.table import MetricTable, join_tables


def story(history):
    found = legs(history.head, history.sessions)
    return found, stitch(found, history.tables)


def expected_steps(name, last):
    return [s for s in range(1, last + 1) if name == "loss" or s % 3 == 0]


@given(ACTIONS)
@settings(max_examples=300, deadline=None)
def test_what_counts_is_the_uninterrupted_run_and_no_row_is_lost(actions):
    history, last = play(actions)
    found, series = story(history)
    for name in ("loss", "val"):
        steps = expected_steps(name, last)
        live = series[name].live if name in series else Series(name, *[np.array([])] * 7)
        assert live.step.tolist() == steps
        assert live.value.tolist() == [value_of(name, s) for s in steps]
    drawn = sorted(
        (found[i].session, int(row)) for s in series.values() for i, row in zip(s.session, s.row, strict=True)
    )
    assert drawn == sorted((name, r.row) for name, rows in history.rows.items() for r in rows)


@given(ACTIONS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_history_in_many_parts_is_the_same_story_as_in_one(actions, rng):
    """Segments, as they follow one another and as they overlap; both ways of ordering, by slices and by indices."""
    history, _ = play(actions)
    found, whole = story(history)
    cut = {}
    for session, rows in history.rows.items():
        ends = sorted(rng.sample(range(len(rows) + 1), min(3, len(rows))))
        overlap = rng.choice([0, 0, 2])
        parts = [rows[max(0, a - overlap) : b] for a, b in pairwise([0, *ends, len(rows)])]
        cut[session] = join_tables([MetricTable.from_rows(part) for part in parts])
        assert {n: len(c) for n, c in cut[session].columns.items()} == dict(Counter(r.name for r in rows))
    for few in (2000, 0):
        with patch.object(stitch_module, "MOST_SLICES", few):
            assert_same(stitch(found, cut), whole)


def assert_same(some, others):
    assert some.keys() == others.keys()
    for name, series in some.items():
        for field in fields(Series):
            assert np.array_equal(getattr(series, field.name), getattr(others[name], field.name)), (name, field.name)


@given(ACTIONS)
@settings(max_examples=100, deadline=None)
def test_no_piece_goes_back_or_spans_two_sessions_of_ghosts(actions):
    history, _ = play(actions)
    for series in story(history)[1].values():
        for piece in np.unique(series.piece):
            part = series.select(series.piece == piece)
            assert bool(np.all(np.diff(part.step) >= 0))
            assert piece == 0 or len(np.unique(part.session)) == 1


def test_a_lineage_ignored_on_purpose_is_noticed():
    history, last = play([("train", 9), ("save", 1), ("train", 5), ("kill", 1), ("train", 1)])
    found, _ = story(history)
    wrong = [replace(leg, end_row=None) for leg in found]
    live = stitch(wrong, history.tables)["val"].live
    right = stitch(found, history.tables)["val"].live
    assert last == 11
    assert live.step.tolist() != right.step.tolist()


def test_validation_logged_after_the_capture_is_run_again_and_drawn_once():
    rows = [Row(0, 3, 0.3, 1.0, "loss", 1.0), Row(1, 3, 0.3, 1.0, "val", 5.0)]
    again = [Row(0, 3, 0.3, 2.0, "val", 5.0), Row(1, 4, 0.4, 2.0, "loss", 0.5)]
    found = [Leg("a", Role.TRUNK, 1, superseded_by="b"), Leg("b", Role.TRUNK, None, began_from="a")]
    series = stitch(found, {"a": MetricTable.from_rows(rows), "b": MetricTable.from_rows(again)})
    assert (series["val"].live.step.tolist(), series["val"].live.session.tolist()) == ([3], [1])
    assert series["val"].ghosts.session.tolist() == [0]


def test_a_session_that_went_back_without_a_record_still_draws_each_step_once():
    rows = [Row(i, s, 0.0, 1.0, "x", float(i)) for i, s in enumerate([1, 2, 3, 4, 3, 4, 5, 2, 3])]
    series = stitch([Leg("a", Role.TRUNK, None)], {"a": MetricTable.from_rows(rows)})["x"]
    assert series.live.row.tolist() == [0, 7, 8]
    assert series.ghosts.row.tolist() == [1, 2, 3, 4, 5, 6]
    assert series.piece.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_several_values_of_one_step_are_all_kept_and_are_no_going_back():
    rows = [Row(i, 1 + i // 4, 0.0, 1.0, "x", float(i)) for i in range(12)]
    assert len(stitch([Leg("a", Role.TRUNK, None)], {"a": MetricTable.from_rows(rows)})["x"].live) == 12


def test_metrics_on_axes_of_their_own_do_not_disturb_each_other():
    rows = [Row(i, i, 0.0, 1.0, "batch", 1.0) for i in range(5)] + [
        Row(5 + i, i, 0.0, 1.0, "epoch", 1.0) for i in range(3)
    ]
    series = stitch([Leg("a", Role.TRUNK, None)], {"a": MetricTable.from_rows(rows)})
    assert not any(s.superseded.any() for s in series.values())


def test_nothing_to_stitch_is_no_series():
    assert stitch([], {}) == {}
    assert stitch([Leg("a", Role.TRUNK, None)], {}) == {}
    assert stitch([Leg("a", Role.TRUNK, None)], {"a": MetricTable.from_rows([])}) == {}


def test_a_resume_is_verified_by_the_steps_that_were_logged_twice():
    history, _ = play([("train", 6), ("save", 1), ("train", 3), ("kill", 1), ("train", 8)])
    found, series = story(history)
    checks = check_resumes(found, series)
    assert [(c.metric, c.session, c.compared, c.different, c.first_step) for c in checks] == [
        ("loss", "s0", 3, 0, None),
        ("val", "s0", 1, 0, None),
    ]


def test_a_resume_that_went_another_way_shows_its_first_different_step():
    history, _ = play([("train", 6), ("save", 1), ("train", 3), ("kill", 1)])
    history.train(5, noise=0.5)
    found, series = story(history)
    check = check_resumes(found, series)[0]
    assert (check.compared, check.different, check.first_step) == (3, 2, 8)
    assert (check.before, check.after) == (value_of("loss", 8), value_of("loss", 8) + 0.5)


def test_branches_are_not_compared_and_nan_equals_nan():
    history, _ = play([("train", 3), ("save", 1), ("branch", 1), ("train", 4)])
    found, series = story(history)
    assert check_resumes(found, series) == []
    nan = [Row(i, s, 0.0, 1.0, "x", np.nan) for i, s in enumerate([1, 2, 1, 2])]
    found = [Leg("a", Role.TRUNK, None)]
    checks = check_resumes(found, stitch(found, {"a": MetricTable.from_rows(nan)}))
    assert [(c.compared, c.different) for c in checks] == [(2, 0)]


def curve(steps, values, pieces=None):
    n = len(steps)
    piece = np.zeros(n, np.int32) if pieces is None else np.array(pieces, np.int32)
    row, zeros = np.arange(n), np.zeros(n)
    steps, values = np.array(steps, np.int64), np.array(values, np.float64)
    return Series("x", row, steps, zeros.astype(np.float32), zeros, values, piece, piece)


POINTS = st.lists(st.tuples(st.integers(0, 60), st.floats(), st.integers(0, 3)), max_size=80).map(
    lambda points: sorted(points, key=lambda p: (p[2], p[0]))
)


@given(POINTS, st.integers(1, 20), st.integers(-5, 65), st.integers(0, 70))
@settings(max_examples=300, deadline=None)
def test_an_envelope_has_the_exact_extremes_of_every_bucket_at_every_zoom(points, buckets, first, length):
    series = curve(*zip(*points, strict=True)) if points else curve([], [])
    shown = envelope(series, buckets=buckets, first_step=first, last_step=first + length)
    inside = [p for p in points if first <= p[0] <= first + length]
    assert int(shown.count.sum()) == len(inside)
    for i in range(len(shown)):
        held = [v for s, v, p in inside if p == shown.piece[i] and shown.first_step[i] <= s <= shown.last_step[i]]
        finite = [v for v in held if not np.isnan(v)]
        assert (len(held), len(held) - len(finite)) == (shown.count[i], shown.nan_count[i])
        assert np.array_equal([shown.first[i], shown.last[i]], [held[0], held[-1]], equal_nan=True)
        if finite:
            assert (shown.low[i], shown.high[i]) == (min(finite), max(finite))
    assert all(int((shown.piece == p).sum()) <= buckets for p in np.unique(shown.piece))


def test_an_envelope_of_everything_at_full_width_is_the_points_themselves():
    shown = envelope(curve([1, 2, 3], [5.0, np.nan, 7.0]), buckets=3)
    assert np.array_equal(shown.first, [5.0, np.nan, 7.0], equal_nan=True)
    assert np.isnan(shown.low[1])


def test_steps_at_the_ends_of_the_number_range_do_not_break_an_envelope():
    extremes = [-(2**63) + 1, 0, 2**63 - 1]
    assert int(envelope(curve(extremes, [1.0, 2.0, 3.0]), buckets=2).count.sum()) == 3
    with pytest.raises(ValueError, match="one bucket"):
        envelope(curve([1], [1.0]), buckets=0)


def slow_average(values, weight):
    out, total, norm = [], 0.0, 0.0
    for value in values:
        if np.isfinite(value):
            total, norm = total * weight + value, norm * weight + 1.0
            out.append(total / norm)
        else:
            total, norm = total * weight, norm * weight
            out.append(value)
    return out


@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf]), max_size=200),
    st.sampled_from([0.0, 0.1, 0.6, 0.9, 0.999]),
)
@settings(deadline=None)
def test_smoothing_equals_the_definition_computed_one_by_one(values, weight):
    found = smooth(curve(range(len(values)), values), weight)
    np.testing.assert_allclose(found, slow_average(values, weight), rtol=1e-9, atol=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf])), max_size=120),
    st.sampled_from([0.0, 0.1, 0.6, 0.95]),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_smoothing_at_some_rows_equals_smoothing_all_of_them(points, weight, draw):
    points.sort(key=lambda p: p[0])
    series = curve(range(len(points)), [v for _, v in points], [p for p, _ in points])
    rows = np.array(sorted(draw.sample(range(len(points)), draw.randint(0, len(points)))), np.intp)
    np.testing.assert_allclose(smooth_at(series, weight, rows), smooth(series, weight)[rows], rtol=1e-9, atol=1e-6)


def test_smoothing_few_of_many_rows_reads_only_what_can_be_seen():
    values = np.sin(np.arange(20_000)) + 2
    series = curve(range(20_000), values.tolist())
    rows = np.array([0, 3, 400, 19_999])
    np.testing.assert_allclose(smooth_at(series, 0.9, rows), smooth(series, 0.9)[rows], rtol=1e-12)


def test_smoothing_never_crosses_from_one_piece_into_another():
    found = smooth(curve([1, 2, 3, 4, 2, 3], [0.0, 0.0, 9.0, 9.0, 0.0, 0.0], [0, 0, 1, 1, 2, 2]), 0.9)
    assert found.tolist() == pytest.approx([0.0, 0.0, 9.0, 9.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="below 1"):
        smooth(curve([1], [1.0]), 1.0)


@given(ACTIONS)
@settings(max_examples=50, deadline=None)
def test_the_smoothed_story_is_that_of_the_uninterrupted_run(actions):
    history, last = play(actions)
    _, series = story(history)
    if "loss" in series:
        loss = series["loss"]
        mixed = smooth(loss, 0.9)[~loss.superseded]
        np.testing.assert_allclose(mixed, slow_average([value_of("loss", s) for s in range(1, last + 1)], 0.9))


def test_a_stitched_history_object_is_complete_without_any_training():
    history = History()
    history.start()
    assert story(history)[1] == {}
