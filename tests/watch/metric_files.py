"""Metric files as trainers write them, made by hand, and the curves that a run shows of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from batonpass.core.lineage import legs
from batonpass.core.metrics.segments import read_segment
from batonpass.core.metrics.stitch import stitch
from batonpass.core.metrics.table import MetricTable, join_tables
from batonpass.core.metrics.tail import decode_tail
from batonpass.core.settings import Settings
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.stores import open_store


def crc32c(data: bytes) -> int:
    """Bit by bit, so that it shares nothing with the reader's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + masked(length) + content + masked(content)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(dtype: int, raw: bytes, *, content: bool = True) -> bytes:
    holds = {1: 5, 2: 6}[dtype]
    return b"\x08" + varint(dtype) + (field(4, raw) if content else field(holds, raw))


def scalar_value(tag: str, value: float, *, form: str = "simple", plugin: str = "") -> bytes:
    out = field(1, tag.encode())
    if form == "simple":
        out += b"\x15" + struct.pack("<f", value)
    elif form == "float":
        out += field(8, tensor(1, struct.pack("<f", value)))
    elif form == "float_val":
        out += field(8, tensor(1, struct.pack("<f", value), content=False))
    else:
        out += field(8, tensor(2, struct.pack("<d", value)))
    return out + (field(9, field(1, field(1, plugin.encode()))) if plugin else b"")


def event(step: int, *values: bytes, at: float = 1.7e9) -> bytes:
    """One event record; `values` are encoded Summary.Values."""
    summary = b"".join(field(1, value) for value in values)
    return record(b"\x09" + struct.pack("<d", at) + b"\x10" + varint(step) + (field(5, summary) if values else b""))


def scalars(rows, *, at: float = 1.7e9) -> bytes:
    """Events of (step, tag, value), ten seconds apart."""
    return b"".join(event(step, scalar_value(tag, value), at=at + 10 * step) for step, tag, value in rows)


def begin_events(folder: Path, number: int = 1) -> Path:
    """A new event file that says its version, as every writer begins."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.17000000{number:02}.host.{number}.0"
    path.write_bytes(record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2")))
    return path


def append(path: Path, content: bytes | str) -> None:
    with path.open("ab") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def hf_state(folder: Path, step: int, history, *, name: str | None = None) -> Path:
    """A checkpoint's `trainer_state.json` with this history, and nothing else of the checkpoint."""
    target = folder / (name or f"checkpoint-{step}")
    target.mkdir(parents=True, exist_ok=True)
    path = target / "trainer_state.json"
    path.write_text(json.dumps({"global_step": step, "log_history": history}))
    return path


class Logged:
    """What a run holds: every row of each session, and the stitched curves."""

    def __init__(self, tmp_path: Path, name: str = "cats") -> None:
        store = open_store(str(tmp_path / "drive"), Settings(home=tmp_path / "home"))
        run = read_run(store, find_run_folder(store, name))
        self.sessions = [s.session for s in run.sessions]
        self.tables = {s.id: self._table(store, s) for s in self.sessions}
        self.series = stitch(legs(run.head, self.sessions), self.tables)

    @staticmethod
    def _table(store, session):
        sealed = [read_segment(store.get(segment.key, store_id=segment.id)) for segment in session.segments]
        return join_tables([*sealed, MetricTable.from_rows(decode_tail(session.tail))])

    def rows(self) -> int:
        """Of all sessions: nothing may be logged twice."""
        return sum(len(table) for table in self.tables.values())

    def curve(self, name: str) -> list[tuple[int, float]]:
        live = self.series[name].live
        return list(zip(live.step.tolist(), live.value.tolist(), strict=True))

    def ghosts(self, name: str) -> list[tuple[int, float]]:
        ghosts = self.series[name].ghosts
        return list(zip(ghosts.step.tolist(), ghosts.value.tolist(), strict=True))
