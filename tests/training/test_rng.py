"""Random streams are put back exactly, whatever was drawn from them in between."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from training.relay import legacy

from batonpass.core.training import numpy_stream
from batonpass.core.training.numpy_stream import read_numpy, write_numpy
from batonpass.core.training.rng import held_streams, read_streams, write_streams

DRAWS = {
    "uniform": legacy.random_sample,
    "normal": legacy.standard_normal,
    "integer": lambda: legacy.randint(1000),
    "many": lambda: legacy.random_sample(1000).sum(),
    "permutation": lambda: legacy.permutation(9).tolist(),
    "seed": lambda: legacy.seed(3),
}
draws = st.lists(st.sampled_from(sorted(DRAWS)), max_size=5)


@given(before=draws, between=draws, after=draws)
def test_numpys_stream_goes_on_as_if_nothing_had_been_drawn_between(before, between, after):
    for name in before:
        DRAWS[name]()
    read_numpy()
    expected_state = str(legacy.get_state(legacy=False))
    state = read_numpy()
    expected = [DRAWS[name]() for name in after]
    write_numpy(state)
    for name in between:
        DRAWS[name]()
    write_numpy(state)
    assert str(legacy.get_state(legacy=False)) == expected_state
    assert [DRAWS[name]() for name in after] == expected


def test_a_memory_layout_we_do_not_know_falls_back_to_numpys_own_functions(monkeypatch):
    monkeypatch.setattr(numpy_stream, "_as_expected", lambda _full, _raw: False)
    legacy.seed(11)
    state = read_numpy()
    assert state.raw is None
    expected = legacy.random_sample()
    write_numpy(state)
    assert legacy.random_sample() == expected


def test_another_bit_generator_of_the_user_is_left_in_place():
    original = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        state = read_numpy()
        expected = legacy.random_sample()
        write_numpy(state)
        assert legacy.random_sample() == expected
    finally:
        np.random.set_bit_generator(original)


def test_held_streams_draw_the_same_each_time_and_leave_no_trace():
    before = read_streams()
    drawn = []
    for _ in range(2):
        with held_streams(5):
            drawn.append((legacy.random_sample(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]
    after = read_streams()
    assert (after.python, str(after.numpy.full)) == (before.python, str(before.numpy.full))
    assert torch.equal(after.cpu, before.cpu)
    write_streams(before)
