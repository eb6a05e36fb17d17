"""Whatever a state_dict may hold comes back exactly, or is reported by its path."""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from batonpass.core.errors import FormatError
from batonpass.core.training.decoder import Decoder
from batonpass.core.training.encoder import Encoder


def round_trip(tree):
    encoder = Encoder()
    text = json.dumps(encoder.encode(tree, file="x.safetensors", label="state"))
    assert not encoder.missing
    return Decoder(lambda file, name: encoder.tensors[file][name]).decode(json.loads(text))


def same(a, b) -> bool:
    return type(a) is type(b) and same_content(a, b)


def same_content(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        factories = getattr(a, "default_factory", None) is getattr(b, "default_factory", None)
        return factories and same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


keys = st.one_of(
    st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False), st.tuples(st.integers(), st.text())
)
numbers = st.one_of(
    st.integers(),
    st.integers(min_value=2**53),
    st.floats(),
    st.complex_numbers(),
    st.sampled_from([np.float64(1.5), np.float32("nan"), np.int8(-3), np.bool_(True), np.datetime64]).filter(
        lambda v: not isinstance(v, type)
    ),
)
others = st.one_of(
    st.none(),
    st.booleans(),
    st.text(),
    st.sampled_from(["$tensor", "$dict", "__metadata__", ""]),
    st.binary(),
    st.builds(bytearray, st.binary()),
    st.sampled_from([torch.float32, torch.bool, torch.device("cpu"), torch.device("cuda", 1), torch.Size([2, 0])]),
    st.frozensets(st.integers()),
    st.sets(st.text()),
)
arrays = st.one_of(
    st.builds(lambda n, d: torch.arange(n, dtype=d), st.integers(0, 5), st.sampled_from([torch.float16, torch.int64])),
    st.builds(lambda: torch.tensor(float("nan"), dtype=torch.bfloat16).to(torch.float64)),
    st.builds(lambda n: np.arange(n, dtype=">i4").reshape(1, n), st.integers(0, 4)),
    st.builds(lambda n: np.arange(n, dtype="u4"), st.integers(0, 4)),
    st.builds(lambda: np.array(["a", "bcd"])),
    st.builds(lambda: np.array(2.5)),
)
trees = st.recursive(
    st.one_of(numbers, others, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.sampled_from(["$tensor", "$float", "a", "a.b", "__metadata__"]), inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
        st.dictionaries(keys, inner, max_size=3).map(lambda d: defaultdict(list, d)),
        st.dictionaries(keys, st.integers(), max_size=3).map(Counter),
    ),
    max_leaves=12,
)


@settings(max_examples=250, deadline=None)
@given(trees)
def test_every_tree_comes_back_with_the_same_types_order_and_bits(tree):
    assert same(round_trip(tree), tree)


def test_a_changed_value_is_noticed_by_the_comparison():
    assert not same(round_trip({"a": 0.0}), {"a": -0.0})
    assert not same(round_trip({1: (1,)}), {1: [1]})


def test_one_tensor_under_two_names_is_stored_once():
    weight = torch.ones(3)
    encoder = Encoder()
    encoder.encode({"a": weight, "b": weight, "c": weight[:2]}, file="m")
    assert sorted(encoder.tensors["m"]) == ["a", "c"]
    assert encoder.aliases == {"m": {"b": "a"}}


def test_tensor_names_that_would_collide_are_kept_apart():
    encoder = Encoder()
    tree = {"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}, "__metadata__": torch.ones(2), "\ud800": torch.ones(1)}
    encoded = encoder.encode(tree, file="m")
    back = Decoder(lambda file, name: encoder.tensors[file][name]).decode(encoded)
    assert same(back, tree)
    assert "__metadata__" not in encoder.tensors["m"]


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (Opaque(), "pickle"),
        (lambda: 1, "pickle"),
        (np.array([object()]), "pickle"),
        (torch.zeros(2, 2).to_sparse(), "sparse"),
        (torch.empty(2, device="meta"), "meta"),
        (torch.zeros(2, dtype=torch.complex128), "complex128"),
        (defaultdict(lambda: 1), "defaultdict"),
        ([1, (2, Opaque())], "[1][1]"),
    ],
)
def test_what_cannot_be_stored_is_named_by_its_path_and_the_rest_is_kept(value, word):
    encoder = Encoder()
    encoded = encoder.encode({"good": 1, "inner": {"bad": value}}, file="m", label="run.state")
    assert encoded == {"good": 1, "inner": {}}
    (line,) = encoder.missing
    assert line.startswith("run.state['inner']['bad']")
    assert word in line


def test_a_structure_that_contains_itself_is_reported_not_followed():
    tree = {"a": 1}
    tree["self"] = tree
    tree["again"] = [tree, tree]
    encoder = Encoder()
    assert encoder.encode(tree, file="m", label="state") == {"a": 1}
    assert len(encoder.missing) == 2


def test_the_encoded_tree_shares_nothing_mutable_with_the_original():
    tree = {"list": [1, {"a": [2]}]}
    encoded = Encoder().encode(tree, file="m")
    tree["list"][1]["a"].append(3)
    assert encoded == {"list": [1, {"a": [2]}]}


HOSTILE = [
    {"$unknown": 1},
    {"$tensor": 1},
    {"$tensor": ["a"]},
    {"$tuple": {"a": 1}},
    {"$dict": [[1]]},
    {"$dict": [[[1], 2]]},
    {"$set": [[1]]},
    {"$int": "__import__('os')"},
    {"$int": 5},
    {"$float": "1e5"},
    {"$float": []},
    {"$dtype": "load"},
    {"$dtype": "os.system"},
    {"$device": "nowhere:9"},
    {"$bytes": "***"},
    {"$size": [-1]},
    {"$size": ["a"]},
    {"$numpy": ["O", [1], ""]},
    {"$numpy": ["<f8", [10**12], ""]},
    {"$numpy": ["(1000000,)f8", [1], ""]},
    {"$numpy": ["<f3", [1], ""]},
    {"$numpy_scalar": ["<U999999", ""]},
    {"$numpy_scalar": ["<f8", "AAAA"]},
    {"$default_dict": ["eval", []]},
    {"$complex": [1, None]},
    {"$counter": 3},
    {"a": 1, "$tensor": ["m", "x"]},
]


@pytest.mark.parametrize("tree", HOSTILE, ids=json.dumps)
def test_hostile_json_is_refused_and_never_evaluated(tree):
    with pytest.raises(FormatError):
        Decoder(lambda _file, _name: torch.zeros(1)).decode([tree])


def test_json_nested_without_end_is_refused():
    tree: list = []
    for _ in range(5000):
        tree = [tree]
    with pytest.raises(FormatError):
        Decoder(lambda _file, _name: torch.zeros(1)).decode(tree)
