"""A manifest tells by itself that a byte of it is not what was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from batonpass.core.codec import encode
from batonpass.core.errors import CorruptCheckpointError, FormatError
from batonpass.core.manifest_file import decode_manifest, encode_manifest, seal_again
from batonpass.core.model import FileEntry, Manifest, TensorEntry

MANIFEST = Manifest(
    "run",
    "20261126t120000-0a0b0c",
    1,
    12,
    0.5,
    datetime(2026, 11, 26, tzinfo=UTC),
    (FileEntry('a\n "seal": "' + "0" * 64 + '".safetensors', "p", 3, "0" * 64, ""),),
    metrics={"loss": 0.25},
    data={"seed": 7, "step": 12, "seal": "0" * 64},
)


def test_it_comes_back_as_it_was_but_for_its_seal():
    found = decode_manifest(encode_manifest(MANIFEST))
    assert len(found.seal) == 64
    assert replace(found, seal="") == MANIFEST


def test_every_flipped_bit_is_noticed_or_changes_nothing():
    whole = encode_manifest(MANIFEST)
    expected = decode_manifest(whole)
    unnoticed = 0
    for at in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[at] ^= 1 << bit
            try:
                found = decode_manifest(bytes(data))
            except (CorruptCheckpointError, FormatError):
                continue
            assert replace(found, seal=expected.seal) == expected
            unnoticed += 1
    assert unnoticed < 4 * 8, "no more than the name of the field itself"


def test_an_edited_one_says_so():
    edited = encode_manifest(MANIFEST).replace(b'"step": 12', b'"step": 13', 1)
    with pytest.raises(CorruptCheckpointError, match="damaged or edited"):
        decode_manifest(edited, key="manifest.json")


def test_one_of_the_first_versions_is_believed():
    assert decode_manifest(encode(MANIFEST)) == MANIFEST


def test_who_changes_ids_seals_it_again():
    whole = encode_manifest(MANIFEST)
    changed = whole.replace(b'"epoch": 0.5', b'"epoch": 0.75', 1)
    assert decode_manifest(seal_again(changed, whole)).epoch == 0.75
    assert seal_again(encode(MANIFEST), encode(MANIFEST)) == encode(MANIFEST)


def test_damage_is_not_sealed_over():
    damaged = encode_manifest(MANIFEST).replace(b'"step": 12', b'"step": 13', 1)
    with pytest.raises(CorruptCheckpointError):
        decode_manifest(seal_again(damaged, damaged))


def test_a_seal_that_was_lost_is_missed():
    tensors = (TensorEntry("model.safetensors", "w", "F32", (1,), xxh3="00"),)
    with pytest.raises(CorruptCheckpointError):
        decode_manifest(encode(replace(MANIFEST, tensors=tensors)))
