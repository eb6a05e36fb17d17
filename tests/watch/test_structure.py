"""A checkpoint that was cut off anywhere, or is still being written, is noticed without loading it."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch.trainers import hf_folder, keras_zip, safetensors, torch_zip

from batonpass.sync.structure import can_be_checked, why_not_whole


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".ckpt", ".keras"])
def test_a_whole_file_is_whole_and_every_cut_of_it_is_not(tmp_path, suffix):
    content = {".safetensors": safetensors, ".keras": keras_zip}.get(suffix, torch_zip)(1)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert why_not_whole(path) == ""
    for cut in [0, 1, 7, 8, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:cut])
        assert why_not_whole(path) != "", cut


@given(st.integers(0, 2**31), st.sampled_from([".safetensors", ".pt", ".h5", ".keras", ".ckpt", ".json"]))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_never_whole_and_never_an_exception(tmp_path_factory, seed, suffix):
    path = tmp_path_factory.getbasetemp() / f"random{suffix}"
    draw = random.Random(seed)
    path.write_bytes(
        draw.choice([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", struct.pack("<Q", 20)]) + draw.randbytes(200)
    )
    assert why_not_whole(path) or not can_be_checked(path)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
def test_a_keras_file_without_one_of_its_parts_is_not_whole(tmp_path, part):
    path = tmp_path / "a.keras"
    path.write_bytes(keras_zip(1, without=part))
    assert part in why_not_whole(path)


def test_a_flipped_byte_in_a_zip_is_noticed(tmp_path):
    content = bytearray(torch_zip(3))
    content[len(content) // 2] ^= 1
    (tmp_path / "a.pt").write_bytes(bytes(content))
    assert "damaged" in why_not_whole(tmp_path / "a.pt")


def hdf5(end: int) -> bytes:
    head = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + bytes(8)
    head += struct.pack("<QQQQ", 0, 2**64 - 1, end, 2**64 - 1)
    return head.ljust(end, b"\0")


def test_an_hdf5_file_is_as_long_as_it_says(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(hdf5(4096))
    assert why_not_whole(path) == ""
    path.write_bytes(hdf5(4096)[:4000])
    assert why_not_whole(path) != ""


def test_a_trainers_folder_is_whole_once_its_state_is_there_and_the_marker_is_not(tmp_path):
    folder = hf_folder(tmp_path, 500)
    assert why_not_whole(folder) == ""
    (folder / "checkpoint-is-incomplete.txt").write_text("")
    assert "still written" in why_not_whole(folder)
    (folder / "checkpoint-is-incomplete.txt").unlink()
    (folder / "model.safetensors").write_bytes(safetensors(1)[:-1])
    assert "model.safetensors" in why_not_whole(folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"w": "model-00001-of-00001.safetensors"}}')
    assert "not there" in why_not_whole(folder)
    (folder / "trainer_state.json").unlink()
    assert "trainer_state.json" in why_not_whole(folder)
