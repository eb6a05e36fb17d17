"""Seeds as a pure function of what they are for, and the random streams of this process."""

from __future__ import annotations

import hashlib
import random
import secrets

import numpy as np
import torch


def draw_seed() -> int:
    """A new seed from the operating system, 0 <= seed < 2**53 (so that every JSON reader keeps it)."""
    return secrets.randbits(53)


def derive(seed: int, *parts: int | str) -> int:
    """A 63-bit seed for one purpose: the same for the same arguments on every machine and version, unrelated for any others."""
    text = "\x1f".join(map(str, (seed, *parts))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def seed_streams(seed: int) -> None:
    """Seed Python's, NumPy's legacy and torch's CPU stream. CUDA is left alone: nothing that fetches data should use it."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002  # the stream that augmentations use
    torch.default_generator.manual_seed(seed)


def permutation(count: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The numbers below `count` in random order, int64. NumPy's legacy stream: it never changes between versions (NEP 19)."""
    words = np.frombuffer(hashlib.sha256(str(seed).encode()).digest(), "<u4")
    return np.random.RandomState(words).permutation(count).astype(np.int64, copy=False)  # frozen for ever
