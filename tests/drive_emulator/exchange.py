"""One request, as the calls see it."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

from drive_emulator.answers import DriveError


class Dropped(Exception):  # noqa: N818  # not an error of the emulator
    """The connection is cut here, without an answer."""


class Body:
    """The request's body as it arrives; it is cut after `cut_after` bytes where a fault says so."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self.source = source
        self.left = length
        self.taken = 0
        self.cut_after: int | None = None

    def read(self, count: int) -> bytes:
        """At most `count` bytes; nothing at the end. Dropped where the client went away or a fault cuts."""
        count = min(count, self.left)
        if self.cut_after is not None:
            if self.taken >= self.cut_after:
                raise Dropped
            count = min(count, self.cut_after - self.taken)
        if count == 0:
            return b""
        block = self.source.read1(count)  # type: ignore[attr-defined]
        if not block:
            raise Dropped
        self.left -= len(block)
        self.taken += len(block)
        return block

    def read_all(self) -> bytes:
        blocks = []
        while block := self.read(1 << 18):
            blocks.append(block)
        return b"".join(blocks)

    def drain(self) -> None:
        while self.read(1 << 18):
            pass


class Exchange:
    def __init__(self, method: str, target: str, headers: Message, source: BinaryIO, base_url: str) -> None:
        url = urlsplit(target)
        self.method = method
        self.path = url.path
        self.parts = [p for p in url.path.split("/") if p]
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.headers = headers
        self.base_url = base_url
        self.body = Body(source, int(headers.get("Content-Length") or 0))

    def part(self, number: int) -> str:
        """A part of the path, counted from 0: of "/drive/v2/files/ID/trash", 3 is the id."""
        return self.parts[number]

    def json(self) -> dict[str, Any]:
        text = self.body.read_all()
        try:
            tree = json.loads(text) if text else {}
        except ValueError:
            raise DriveError(400, "parseError", "Parse Error") from None
        if not isinstance(tree, dict):
            raise DriveError(400, "parseError", "Parse Error")
        return tree
