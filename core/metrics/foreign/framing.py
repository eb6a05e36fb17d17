"""The records of an event file: length, checksum of the length, data, checksum of the data. Source: tensorflow, record_writer.h.

A record that is not there to its end yet is no damage: it is waited for.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

RECORD_LIMIT = 1 << 20
"""A longer record holds images or graphs, never only numbers: it is passed over unread."""
HEADER_BYTES, FOOTER_BYTES = 12, 4
_MASK_DELTA = 0xA282EAD8


class Scan(NamedTuple):
    """What a stretch of an event file holds."""

    records: list[bytes]
    used: int
    """Bytes of whole records, damaged ones included; reading goes on behind them."""
    damaged: int
    """Records whose data is not what was written; they are passed over."""
    ahead: int = 0
    """The record at `used` is this long and is to be passed over unread."""
    lost: bool = False
    """The length at `used` is damaged: where the next record begins cannot be known."""


def scan_records(data: bytes) -> Scan:
    """The whole records at the beginning of `data`, which begins with a record."""
    records: list[bytes] = []
    at = damaged = 0
    while len(data) - at >= HEADER_BYTES:
        length, check = struct.unpack_from("<QI", data, at)
        if masked_crc(data[at : at + 8]) != check:
            return Scan(records, at, damaged, lost=True)
        total = HEADER_BYTES + length + FOOTER_BYTES
        if length > RECORD_LIMIT:
            return Scan(records, at, damaged, ahead=total)
        if len(data) - at < total:
            break
        content = data[at + HEADER_BYTES : at + HEADER_BYTES + length]
        (check,) = struct.unpack_from("<I", data, at + HEADER_BYTES + length)
        if masked_crc(content) == check:
            records.append(content)
        else:
            damaged += 1
        at += total
    return Scan(records, at, damaged)


def masked_crc(data: bytes) -> int:
    """CRC32C (Castagnoli, reflected 0x82F63B78), rotated by 15 bits plus a constant, as TFRecord files store it.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFF_FFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFF_FFFF


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F6_3B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _table()
