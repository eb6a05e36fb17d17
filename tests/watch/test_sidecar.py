"""A side-car belongs to exactly one checkpoint, travels with it, and is only ever believed about it."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import load_file
from watch.trainers import keras_zip, safetensors, torch_zip

from batonpass.core.sidecar import METADATA_KEY, is_sidecar, read_facts, sidecar_path
from batonpass.core.training.rng import capture_rng, restore_rng
from batonpass.core.training.sidecar import pack_sidecar, read_sidecar, unpack_sidecar, write_sidecar
from batonpass.sync.foreign import read_position, what_is_missing


@pytest.fixture
def checkpoint(output):
    path = output / "epoch-3.keras"
    path.write_bytes(keras_zip(1))
    return path


def test_streams_come_back_from_the_side_car(checkpoint):
    write_sidecar(checkpoint, {"rng": capture_rng(), "seeds": [[1, 2**40]]}, trainer="keras", step=18)
    expected = torch.rand(3)
    torch.rand(5)
    found = read_sidecar(checkpoint)
    assert found.facts.step == 18
    assert found.state["seeds"] == [[1, 2**40]]
    assert found.environment["torch"] == torch.__version__
    restore_rng(found.state["rng"])
    assert torch.equal(torch.rand(3), expected)


def test_it_opens_with_safetensors_alone_and_leaves_nothing_else(checkpoint):
    path = write_sidecar(checkpoint, {"rng": capture_rng()}, trainer="keras", step=1)
    assert load_file(path)
    assert sorted(p.name for p in checkpoint.parent.iterdir()) == [checkpoint.name, path.name]


@pytest.mark.parametrize("change", ["longer", "another name"])
def test_of_other_bytes_than_it_was_written_for_it_says_nothing(checkpoint, change):
    """The negative control: an old side-car beside a new checkpoint must not be used."""
    path = write_sidecar(checkpoint, {"rng": capture_rng()}, trainer="keras", step=1)
    if change == "longer":
        checkpoint.write_bytes(torch_zip(2, 5000))
    else:
        other = checkpoint.with_name("epoch-4.keras")
        checkpoint.rename(other)
        path.rename(sidecar_path(other))
        checkpoint = other
    assert read_sidecar(checkpoint) is None
    assert any("no random number state" in each for each in what_is_missing(checkpoint, [checkpoint.name]))


def damaged(tree):
    text = json.dumps({"__metadata__": {METADATA_KEY: tree}}).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 1 << 60) + b"{}",
        damaged("not json"),
        damaged("[" * 100_000),
        damaged('{"format": 99}'),
        damaged('{"format": 1, "trainer": 3}'),
        damaged('{"format": 1, "trainer": "k", "checkpoint": "x", "size_bytes": -1, "step": 0, "missing": []}'),
        safetensors(1),
    ],
)
def test_a_damaged_or_hostile_one_is_as_good_as_none(checkpoint, content):
    sidecar_path(checkpoint).write_bytes(content)
    assert read_facts(checkpoint) is None
    assert read_sidecar(checkpoint) is None


def test_what_could_not_be_stored_is_named(checkpoint):
    write_sidecar(checkpoint, {"x": object()}, trainer="keras", step=1, missing=["the moon"])
    missing = what_is_missing(checkpoint, [checkpoint.name])
    assert "the moon" in missing
    assert any("cannot be stored without pickle" in each for each in missing)


def test_a_packed_one_loads_with_weights_only_and_is_seen_without_loading(output):
    path = output / "last.ckpt"
    state = {
        "pytorch-lightning_version": "2.6.6",
        "optimizer_states": [],
        "lr_schedulers": [],
        "loops": {},
        "callbacks": {
            "BatonpassCallback": {"sidecar": pack_sidecar({"rng": capture_rng()}, trainer="lightning", step=7)}
        },
    }
    torch.save(state, path)
    assert what_is_missing(path, [path.name]) == ()
    assert read_position(path).step == 7
    packed = torch.load(path, weights_only=True)["callbacks"]["BatonpassCallback"]["sidecar"]
    assert unpack_sidecar(packed).facts.step == 7
    torch.save({k: v for k, v in state.items() if k not in ("callbacks", "optimizer_states")}, path)
    assert len(what_is_missing(path, [path.name])) == 2


def test_it_travels_with_its_checkpoint_and_is_none_itself(watch, output, checkpoint, look, listed):
    watched = watch()
    write_sidecar(checkpoint, {"rng": capture_rng()}, trainer="keras", step=18)
    look(watched)
    assert [step for step, _ in listed()] == [18]
    from batonpass.core.settings import Settings
    from batonpass.sync.reading import read_manifest
    from batonpass.sync.stores import open_store

    store = open_store(str(output.parent / "drive"), Settings(home=output.parent / "home"))
    manifest = read_manifest(store, listed()[0][1].key)
    assert [is_sidecar(entry.name) for entry in manifest.files] == [False, True]
    assert not any("random" in each for each in manifest.missing)
