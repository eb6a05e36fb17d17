"""Packing for the store: every byte comes back, whatever it was; what is damaged is refused; what cannot be packed hardly grows."""

from __future__ import annotations

import contextlib
import io
import json
import re

import numpy as np
import pytest
from house.checkout import CHECKOUT
from hypothesis import given, settings
from hypothesis import strategies as st

from batonpass.core import shuffle
from batonpass.core.errors import FormatError

WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "F16": 2, "BF16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "C64": 8}


def packed(plain: bytes) -> bytes:
    out = io.BytesIO()
    shuffle.pack(io.BytesIO(plain), out, size_bytes=len(plain))
    return out.getvalue()


def unpacked(data: bytes, size_bytes: int) -> bytes:
    return b"".join(shuffle.unpack(io.BytesIO(data), size_bytes=size_bytes))


def safetensors(tensors: list[tuple[str, bytes]]) -> bytes:
    header, at = {}, 0
    for number, (dtype, body) in enumerate(tensors):
        header[f"t{number}"] = {
            "dtype": dtype,
            "shape": [len(body) // WIDTHS[dtype]],
            "data_offsets": [at, at + len(body)],
        }
        at += len(body)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(body for _, body in tensors)


def weights(count: int, *, seed: int = 1) -> bytes:
    return (np.random.default_rng(seed).standard_normal(count) * 0.02).astype(np.float32).tobytes()


def floats(dtype: str, numbers: list[float]) -> tuple[str, bytes]:
    kind = {"F64": np.float64, "F16": np.float16}.get(dtype, np.float32)
    with np.errstate(over="ignore"):
        body = np.array(numbers, dtype=kind).tobytes()
    return dtype, body[: len(body) // WIDTHS[dtype] * WIDTHS[dtype]]


tensor = st.builds(
    floats, st.sampled_from(sorted(WIDTHS)), st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40)
)


@given(st.lists(tensor, max_size=8), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_safetensors_file_comes_back_bit_for_bit(tensors, times):
    """NaNs with any payload, empty tensors and every width; small ones that share a block, and large ones."""
    plain = safetensors([(dtype, body * 37**times if times < 3 else body) for dtype, body in tensors])
    assert unpacked(packed(plain), len(plain)) == plain


@given(st.binary(max_size=5000))
@settings(max_examples=60, deadline=None)
def test_whatever_else_lies_under_that_name_comes_back_too(plain):
    assert unpacked(packed(plain), len(plain)) == plain


@pytest.mark.parametrize("extra", [0, 1, 3, 7])
def test_blocks_that_end_in_the_middle_of_a_number_come_back(extra):
    plain = safetensors([("F32", weights(700_000)), ("U8", b"x" * (20_000 + extra))]) + b"tail"[: extra % 4]
    assert unpacked(packed(plain), len(plain)) == plain


def test_weights_get_smaller_than_zstd_alone_makes_them():
    import zstandard

    plain = safetensors([("F32", weights(1 << 20))])
    assert len(packed(plain)) < 0.95 * len(zstandard.ZstdCompressor(level=1).compress(plain))


def test_what_cannot_be_compressed_grows_by_less_than_a_tenth_of_a_percent():
    plain = safetensors([("F32", np.random.default_rng(2).bytes(8 << 20))])
    assert len(packed(plain)) < 1.001 * len(plain)


def test_many_small_tensors_of_mixed_types_do_not_become_many_blocks():
    mixed = [("F32" if i % 2 else "BF16", np.random.default_rng(i).bytes(64)) for i in range(4000)]
    plain = safetensors(mixed)
    assert len(packed(plain)) < 1.005 * len(plain)
    assert unpacked(packed(plain), len(plain)) == plain


def test_the_same_bytes_are_packed_to_the_same_bytes():
    """An upload that another process continues relies on it."""
    plain = safetensors([("F32", weights(500_000)), ("BF16", weights(1000))])
    assert packed(plain) == packed(plain)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damage_is_refused_or_gives_other_bytes_and_never_another_error(data):
    plain = safetensors([("F32", weights(3000)), ("F64", weights(512))])
    whole = packed(plain)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with contextlib.suppress(FormatError):
        assert len(unpacked(broken, len(plain))) == len(plain)


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 500])
def test_a_file_that_is_cut_off_or_too_long_is_refused(cut):
    plain = safetensors([("F32", weights(3000))])
    whole = packed(plain)
    with pytest.raises(FormatError):
        unpacked(whole[:-cut], len(plain))
    with pytest.raises(FormatError):
        unpacked(whole[:cut], len(plain))
    with pytest.raises(FormatError):
        unpacked(whole, len(plain) - 1)
    with pytest.raises(FormatError):
        unpacked(whole + whole, len(plain))


def test_a_block_that_claims_to_be_huge_is_refused_before_anything_is_allocated():
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(shuffle.LIMIT_BYTES + 1))
    for length in (shuffle.LIMIT_BYTES + 1, 100):
        head = (0x184D2A51).to_bytes(4, "little") + (8).to_bytes(4, "little")
        head += length.to_bytes(4, "little") + len(bomb).to_bytes(4, "little")
        with pytest.raises(FormatError):
            unpacked(head + bomb, 1 << 40)


def test_the_lines_in_the_page_on_the_format_unpack_it_without_batonpass():
    text = (CHECKOUT / "docs/FORMAT.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def unpack" in block]
    plain = safetensors([("F32", weights(700_001)), ("F64", weights(9000)), ("BF16", weights(99)), ("U8", b"abc")])
    found: dict = {}
    exec(code, found)
    assert found["unpack"](packed(plain)) == plain
    assert "batonpass" not in code
    assert len(code.splitlines()) <= 20
