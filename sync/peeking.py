"""The words in a checkpoint that cannot be opened safely: which names a pickle speaks of, and whether HDF5 has an optimizer.

A pickle is read as a list of instructions and never run: `pickletools.genops` parses and builds nothing.
"""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from pathlib import Path
from typing import IO

_LARGEST_BYTES = 64 << 20
_MOST_INSTRUCTIONS = 5_000_000
_CHUNK_BYTES = 1 << 20


def words_in_pickle(path: Path) -> frozenset[str] | None:
    """All strings in the pickle of a file that torch wrote (a zip); None where it is no such file, too large or damaged.

    That a word is there does not say at which place: "optimizer_states" may be anywhere in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            info = next((i for i in archive.infolist() if i.filename.endswith("/data.pkl")), None)
            if info is None or info.file_size > _LARGEST_BYTES:
                return None
            found = set()
            for number, (_, argument, _) in enumerate(pickletools.genops(archive.read(info))):
                if number > _MOST_INSTRUCTIONS:
                    return None
                if isinstance(argument, str):
                    found.add(argument)
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        IndexError,
    ):
        return None
    return frozenset(found)


def keras_has_optimizer(path: Path) -> bool | None:
    """Whether a `.keras` or `.h5` file speaks of an optimizer, as Keras names it; None where it cannot be read."""
    try:
        if path.suffix.lower() != ".keras":
            with path.open("rb") as file:
                return _speaks_of(file, b"optimizer")
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
            return _speaks_of(weights, b"optimizer")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return None


def _speaks_of(file: IO[bytes], word: bytes) -> bool:
    before = b""
    while chunk := file.read(_CHUNK_BYTES):
        if word in before + chunk:
            return True
        before = chunk[-len(word) :]
    return False
