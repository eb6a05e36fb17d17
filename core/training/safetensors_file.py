"""The safetensors format, written in one streaming pass that hashes as it goes. Reading is the safetensors library's work.

One cryptographic hash, of the file, is the proof. The hash of each tensor only tells whether it has changed; it costs a tenth of the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash

from batonpass.core.files import Digest, Hasher, sync_file

_NAMES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}
DTYPES: dict[torch.dtype, str] = {getattr(torch, k): v for k, v in _NAMES.items() if hasattr(torch, k)}
"""torch dtype -> its name in the format. What is not here cannot be stored in a safetensors file."""


_PIECE_BYTES = 256 << 10
"""Two hashes and a write read each piece: from the core's own cache, where it is small enough, and not three times from memory."""


@dataclass(frozen=True, slots=True)
class TensorBytes:
    """One tensor to write: its name, torch dtype, shape, size in bytes, and where its bytes (C order) come from."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    size_bytes: int
    chunks: Callable[[], Iterator[memoryview]]


def storage_order(name: str, tensor: torch.Tensor) -> tuple[int, str]:
    """Sort key of tensors in a file: wide elements first, so that without any gap every tensor is aligned; then by name."""
    return -tensor.element_size(), name


def write_safetensors(path: Path, tensors: Sequence[TensorBytes], metadata: dict[str, str]) -> tuple[Digest, list[str]]:
    """Write a new file and bring it to the disk. Returns the file's digest (without md5) and each tensor's XXH3 (128 bits, hexadecimal),
    in the order given.

    FileExistsError when there is one already; OSError (a full disk, ...) as the system gives it.
    """
    hasher = Hasher(md5=False)
    hashes = []
    with path.open("xb") as file:
        for block in _header(tensors, metadata):
            hasher.update(block)
            file.write(block)
        for tensor in tensors:
            own = xxhash.xxh3_128()
            for chunk in tensor.chunks():
                own.update(chunk)
                hasher.update(chunk)
                file.write(chunk)
            hashes.append(own.hexdigest())
        sync_file(file)
    return hasher.digest(), hashes


def _header(tensors: Iterable[TensorBytes], metadata: dict[str, str]) -> Iterator[bytes]:
    entries: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    offset = 0
    for t in tensors:
        end = offset + t.size_bytes
        entries[t.name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text


def byte_view(flat: torch.Tensor) -> memoryview:
    """The bytes of a flat uint8 tensor on the CPU, not copied."""
    data: Any = flat.numpy()
    return memoryview(data)


def buffer_chunks(buffer: memoryview, start: int, size_bytes: int) -> Iterator[memoryview]:
    """`size_bytes` bytes of a flat byte buffer from `start`, in small pieces."""
    for at in range(start, start + size_bytes, _PIECE_BYTES):
        yield buffer[at : min(at + _PIECE_BYTES, start + size_bytes)]


def live_chunks(tensor: torch.Tensor, window_bytes: int) -> Iterator[memoryview]:
    """The bytes of a tensor in C order, brought from its device through a window of `window_bytes`."""
    flat = tensor.detach().reshape(-1)
    rows = max(1, window_bytes // max(1, flat.element_size()))
    for at in range(0, flat.numel(), rows):
        piece = flat[at : at + rows].cpu().contiguous().view(torch.uint8)
        data = byte_view(piece)
        yield from buffer_chunks(data, 0, len(data))
