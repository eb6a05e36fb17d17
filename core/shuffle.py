"""Packs a safetensors file for the store, and unpacks it again: bytes of equal rank put side by side, then zstd. Streaming; memory is a
few frames, whatever the size of the file.

A packed file is a chain of blocks, and each block is two standard zstd frames: a skippable one of 16 bytes, which says how the plain bytes
are got back, and the compressed one. docs/FORMAT.md has the twenty lines that undo it without Batonpass.

    4 bytes  0x184D2A5w, little-endian   w: width of the elements, 1, 2, 4 or 8 (1: not shuffled)
    4 bytes  8, little-endian            what a skippable frame holds
    4 bytes  length of the plain piece   little-endian, at most `LIMIT_BYTES`
    4 bytes  length of the zstd frame that follows
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from batonpass.core.errors import FormatError

SHUFFLE_ZSTD = "shuffle-zstd-1"
"""The name of this encoding in a manifest."""
FRAME_BYTES = 1 << 20
"""Plain bytes of one block: a piece and its shuffled copy stay in the processor's cache."""
LIMIT_BYTES = 16 << 20
"""No block that came from a store is allowed to be larger, packed or plain."""
LEVEL = 1
"""Higher levels of zstd win nothing on weights (measured: level 3 under 0.5 %) and cost half the speed."""
FINDING = {"min_match": 7, "hash_log": 10}
"""Weights do not repeat: short matches that are found by chance cost more than they save (measured: 45 % faster without, never larger)."""

_MAGIC = 0x184D2A50
_HEAD = struct.Struct("<IIII")
_HEADER_LIMIT_BYTES = 100 << 20
_SMALLEST_BYTES = 16 << 10
"""A shorter region joins the one before it: many small tensors of mixed types must not become many small blocks."""
_WIDTHS = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "C64": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
}
"""Bytes of one number; a complex one is two."""


def pack(source: BinaryIO, target: BinaryIO, *, size_bytes: int, go_on: Callable[[], object] = lambda: None) -> None:
    """Write the packed form of the `size_bytes` of `source`, open at its beginning. `go_on` is called before each block and may raise.

    The same bytes and the same release of zstd give the same packed bytes. A file whose header cannot be read is packed without
    shuffling. OSError as the files give it.
    """
    import zstandard  # noqa: PLC0415  # only where something is packed

    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, write_content_size=True, **FINDING)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    regions = _regions(source, size_bytes)
    source.seek(0)
    for length, width in regions:
        for start in range(0, length, FRAME_BYTES):
            go_on()
            piece = source.read(min(FRAME_BYTES, length - start))
            frame = compressor.compress(_shuffled(piece, width) if width > 1 else piece)
            target.write(_HEAD.pack(_MAGIC + width, 8, len(piece), len(frame)))
            target.write(frame)


def unpack(source: BinaryIO, *, size_bytes: int) -> Iterator[bytes | memoryview]:
    """The plain bytes of a packed file, piece by piece; `size_bytes` of them. FormatError when it is no such file, or is cut off.

    Whoever uses them compares their sha256: nothing in here can tell one weight from another.
    """
    import zstandard  # noqa: PLC0415  # only where something is packed

    decompressor, done = zstandard.ZstdDecompressor(max_window_size=LIMIT_BYTES), 0
    while head := source.read(_HEAD.size):
        length, width, frame = _read_block(source, head)
        done += length
        if done > size_bytes:
            raise _not_packed("it holds more than its manifest says")
        try:
            if zstandard.frame_content_size(frame) != length:
                raise _not_packed("a block is not as long as it says")
            shuffled = decompressor.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise _not_packed("a block cannot be decompressed") from error
        yield _unshuffled(shuffled, width) if width > 1 else shuffled
    if done != size_bytes:
        raise _not_packed("it holds less than its manifest says")


def _read_block(source: BinaryIO, head: bytes) -> tuple[int, int, bytes]:
    if len(head) < _HEAD.size:
        raise _not_packed("it is cut off")
    magic, eight, length, packed = _HEAD.unpack(head)
    width = magic - _MAGIC
    if width not in (1, 2, 4, 8) or eight != 8 or not 0 < length <= LIMIT_BYTES or packed > LIMIT_BYTES + (1 << 16):
        raise _not_packed("a block does not begin as one")
    frame = source.read(packed)
    if len(frame) < packed:
        raise _not_packed("it is cut off")
    return length, width, frame


def _regions(source: BinaryIO, size_bytes: int) -> list[tuple[int, int]]:
    """(length in bytes, width) of the file's parts, in order; together `size_bytes`."""
    regions: list[tuple[int, int]] = []
    start = 0
    for end, width in (*_marks(source, size_bytes), (size_bytes, 1)):
        length = end - start
        if length <= 0:
            continue
        if regions and (regions[-1][1] == width or length < _SMALLEST_BYTES):
            regions[-1] = (regions[-1][0] + length, regions[-1][1])
        else:
            regions.append((length, width))
        start = end
    return regions


def _marks(source: BinaryIO, size_bytes: int) -> list[tuple[int, int]]:
    """(where it ends, width) of the header and of each tensor, in the order of the file; nothing where this is no safetensors file."""
    source.seek(0)
    begin = 8 + int.from_bytes(source.read(8), "little")
    if begin > min(size_bytes, _HEADER_LIMIT_BYTES):
        return []
    try:
        header = json.loads(source.read(begin - 8))
        tensors = [_mark(entry) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
    inside = [(begin + end, width) for end, width in tensors if 0 <= end <= size_bytes - begin]
    return [(begin, 1), *sorted(inside)]


def _mark(entry: Any) -> tuple[int, int]:
    return int(entry["data_offsets"][1]), _WIDTHS.get(entry["dtype"], 1)


def _shuffled(piece: bytes, width: int) -> memoryview:
    """First the first byte of every element, then all second ones ...; what is left over at the end stays as it is."""
    import numpy as np  # noqa: PLC0415  # `import batonpass` must not load it

    plain, shuffled = np.frombuffer(piece, np.uint8), np.empty(len(piece), np.uint8)
    for in_element, in_row in _planes(len(piece), width):
        shuffled[in_row] = plain[in_element]
    return shuffled.data


def _unshuffled(piece: bytes, width: int) -> memoryview:
    import numpy as np  # noqa: PLC0415  # as above

    shuffled, plain = np.frombuffer(piece, np.uint8), np.empty(len(piece), np.uint8)
    for in_element, in_row in _planes(len(piece), width):
        plain[in_element] = shuffled[in_row]
    return plain.data


def _planes(length: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Where the bytes of one rank lie in the plain piece, and where in the shuffled one. One rank at a time is three times as fast as
    turning over a table.
    """
    rows = length // width
    for rank in range(width):
        yield slice(rank, rows * width, width), slice(rank * rows, (rank + 1) * rows)
    yield slice(rows * width, length), slice(rows * width, length)


def _not_packed(why: str) -> FormatError:
    return FormatError(
        f"this is no file packed by {SHUFFLE_ZSTD}: {why}",
        hint="the file may be damaged; `batonpass verify --read` shows which are",
    )
