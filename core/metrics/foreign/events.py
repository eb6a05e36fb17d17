"""The scalars in TensorBoard's event records. Source: tensorboard/compat/proto: event.proto, summary.proto, tensor.proto.

A scalar is a `simple_value` (torch's writer) or a tensor of one number (TensorFlow 2); images, histograms, texts and the settings
of the hparams plugin are no metrics.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from batonpass.core.metrics.foreign.point import EPOCH_NAMES, Point, make_point, to_time
from batonpass.core.metrics.foreign.wire import BYTES, FIXED32, FIXED64, VARINT, read_fields, read_varint, signed

_FLOAT, _DOUBLE, _INT32, _INT64 = 1, 2, 3, 9
_CONTENT_FORMATS = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _INT64: "<q"}
_NUMBER_FIELDS = {5: _FLOAT, 6: _DOUBLE, 7: _INT32, 10: _INT64}
"""Field of TensorProto -> the dtype whose values it holds."""
_PLUGINS_LIMIT = 10_000


class EventParser:
    """Turns the records of one event file into points, in their order. A tag's plugin is named in its first record only."""

    def __init__(self) -> None:
        self._plugins: dict[str, str] = {}
        self._epoch: float | None = None
        self.strange = 0
        """Records that pass their checksum and hold no event."""

    def take(self, records: Iterable[bytes]) -> list[Point]:
        """Points of consecutive records; those of one step in a row become one, up to a tag that comes again."""
        points: list[Point] = []
        group: list[tuple[str, object]] = []
        tags: set[str] = set()
        place: tuple[int, float] | None = None
        for record in records:
            try:
                at, step, values = self._read_event(record)
            except (ValueError, struct.error):
                self.strange += 1
                continue
            if not values:
                continue
            if place is not None and (place[0] != step or not tags.isdisjoint(tag for tag, _ in values)):
                self._close(points, group, place)
                group, tags = [], set()
            place = (step, at)
            group += values
            tags.update(tag for tag, _ in values)
        if place is not None:
            self._close(points, group, place)
        return points

    def _close(self, points: list[Point], group: list[tuple[str, object]], place: tuple[int, float]) -> None:
        for name, value in group:
            if name.lower() in EPOCH_NAMES and isinstance(value, float):
                self._epoch = value
        point = make_point(place[0], group, at=place[1])
        if point is not None:
            points.append(point if point.epoch is not None else point._replace(epoch=_epoch_or_none(self._epoch)))

    def _read_event(self, data: bytes) -> tuple[float, int, list[tuple[str, object]]]:
        at, step = 0.0, 0
        values: list[tuple[str, object]] = []
        for number, kind, content in read_fields(data):
            if number == 1 and kind == FIXED64 and isinstance(content, bytes):
                (at,) = struct.unpack("<d", content)
            elif number == 2 and kind == VARINT and isinstance(content, int):
                step = signed(content)
            elif number == 5 and kind == BYTES and isinstance(content, bytes):
                for each, each_kind, value in read_fields(content):
                    if each == 1 and each_kind == BYTES and isinstance(value, bytes):
                        values += self._read_value(value)
        return to_time(at) or 0.0, step, values

    def _read_value(self, data: bytes) -> list[tuple[str, object]]:
        tag, plugin = "", ""
        value: float | None = None
        for number, kind, content in read_fields(data):
            if number == 1 and isinstance(content, bytes):
                tag = content.decode("utf-8", "replace")
            elif number == 2 and kind == FIXED32 and isinstance(content, bytes):
                (value,) = struct.unpack("<f", content)
            elif number == 8 and kind == BYTES and isinstance(content, bytes):
                value = _one_number(content)
            elif number == 9 and kind == BYTES and isinstance(content, bytes):
                plugin = _plugin_of(content)
        if plugin and len(self._plugins) < _PLUGINS_LIMIT:
            self._plugins[tag] = plugin
        plugin = plugin or self._plugins.get(tag, "scalars")
        return [(tag, value)] if value is not None and plugin == "scalars" else []


def _epoch_or_none(epoch: float | None) -> float | None:
    return epoch if epoch is not None and 0 <= epoch < float("inf") else None


def _plugin_of(metadata: bytes) -> str:
    """SummaryMetadata.plugin_data (1) .plugin_name (1)."""
    for number, _, content in read_fields(metadata):
        if number == 1 and isinstance(content, bytes):
            for each, _, name in read_fields(content):
                if each == 1 and isinstance(name, bytes):
                    return name.decode("utf-8", "replace")
    return ""


def _one_number(tensor: bytes) -> float | None:
    """The value of a TensorProto with exactly one number; None for any other."""
    dtype, raw, found = 0, b"", []
    for number, kind, content in read_fields(tensor):
        if number == 1 and isinstance(content, int):
            dtype = content
        elif number == 4 and isinstance(content, bytes):
            raw = content
        elif number in _NUMBER_FIELDS:
            found.append((_NUMBER_FIELDS[number], kind, content))
    form = _CONTENT_FORMATS.get(dtype)
    if form is None:
        return None
    if raw:
        return float(struct.unpack(form, raw)[0]) if len(raw) == struct.calcsize(form) else None
    return _field_number(form, dtype, *found[0]) if len(found) == 1 else None


def _field_number(form: str, dtype: int, field_type: int, kind: int, content: int | bytes) -> float | None:
    """One number from a repeated field, packed or not."""
    if field_type != dtype:
        return None
    if isinstance(content, int):
        return float(signed(content))
    if dtype in (_INT32, _INT64):
        value, end = read_varint(content, 0)
        return float(signed(value)) if kind == BYTES and end == len(content) else None
    return float(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else None
