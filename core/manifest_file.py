"""A manifest as a file that tells by itself whether it is whole: its own hash stands in it, because no other file of a checkpoint has it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from batonpass.core.codec import decode, encode
from batonpass.core.errors import CorruptCheckpointError, FormatError
from batonpass.core.model import Manifest

_BLANK = "0" * 64
_SEAL = re.compile(rb'\n "seal": "[0-9a-f]{64}"')


def encode_manifest(manifest: Manifest) -> bytes:
    """The file's bytes; `seal` is the sha256 of the same bytes with 64 zeros in its place."""
    blank = encode(replace(manifest, seal=_BLANK))
    return blank.replace(_line(_BLANK), _line(hashlib.sha256(blank).hexdigest()), 1)


def seal_again(data: bytes, before: bytes) -> bytes:
    """`data` with the seal that fits its bytes, for who changed ids in `before`. Only what was right before: damage must go on being seen."""
    found = _SEAL.search(data)
    try:
        decode_manifest(before)
    except (CorruptCheckpointError, FormatError):
        return data
    if found is None:
        return data
    blank = data[: found.start()] + _line(_BLANK) + data[found.end() :]
    return blank.replace(_line(_BLANK), _line(hashlib.sha256(blank).hexdigest()), 1)


def decode_manifest(data: bytes, *, key: str = "") -> Manifest:
    """CorruptCheckpointError when a byte is not what was written; FormatError as `decode`. One without a seal (older) is believed."""
    manifest = decode(Manifest, data, key=key)
    blank = data.replace(_line(manifest.seal), _line(_BLANK), 1)
    unsealed = not manifest.seal and not any(t.xxh3 for t in manifest.tensors)  # who writes those writes the seal
    if not unsealed and hashlib.sha256(blank).hexdigest() != manifest.seal:
        raise CorruptCheckpointError(
            f"{key or 'the manifest'} holds other bytes than were written: it was damaged or edited",
            hint="an older checkpoint can be used instead; this one was left as it is",
        )
    return manifest


def _line(seal: str) -> bytes:
    """As `encode` writes the field; no string in a JSON file can hold a line break of its own."""
    return f'\n "seal": "{seal}"'.encode(errors="replace")
