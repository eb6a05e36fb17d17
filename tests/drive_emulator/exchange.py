"""One request, as the calls see it."""

from __future__ import annotations

import json
import re
from email.message import Message
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

from drive_emulator.answers import DriveError
from drive_emulator.link import Link
from drive_emulator.v3 import to_v2


class Dropped(Exception):  # noqa: N818  # not an error of the emulator
    """The connection is cut here, without an answer."""


class Body:
    """The request's body as it arrives; it is cut after `cut_after` bytes where a fault says so."""

    def __init__(self, source: BinaryIO, length: int, link: Link) -> None:
        self.source = source
        self.left = length
        self.link = link
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
        self.link.carry(len(block))
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


class ChunkedBody(Body):
    """A body whose length is not told before (Transfer-Encoding: chunked)."""

    ended = False

    def read(self, count: int) -> bytes:
        if self.left == 0 and not self.ended:
            self.left = int(self.source.readline().split(b";")[0], 16)
            self.ended = self.left == 0
            if self.ended:
                while self.source.readline().strip():
                    pass
        block = super().read(count)
        if block and self.left == 0:
            self.source.readline()
        return block


class Exchange:
    def __init__(self, method: str, target: str, headers: Message, source: BinaryIO, base_url: str, link: Link) -> None:
        url = urlsplit(target)
        self.method = method
        self.version = 3 if "drive/v3/" in url.path else 2
        self.path = url.path.replace("drive/v3/", "drive/v2/")
        self.parts = [p for p in self.path.split("/") if p]
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.headers = headers
        self.base_url = base_url
        chunked = headers.get("Transfer-Encoding", "") == "chunked"
        length = int(headers.get("Content-Length") or 0)
        self.lost = 0
        """Bytes of an upload that came and were not kept."""
        self.body = ChunkedBody(source, 0, link) if chunked else Body(source, length, link)

    @property
    def if_match(self) -> str | None:
        """The version that is to be replaced; v3 has no such thing."""
        return self.headers.get("If-Match") if self.version == 2 else None

    @property
    def span(self) -> tuple[int, int] | None:
        """The first byte of an upload that this request brings, and the one after its last."""
        match = re.fullmatch(r"bytes (\d+)-(\d+)/\d+", self.headers.get("Content-Range") or "")
        return (int(match[1]), int(match[2]) + 1) if match else None

    def metadata(self) -> dict[str, Any]:
        """The body as a file's metadata, in the words of v2."""
        if self.version == 3:
            return to_v2(self.json())
        told = self.json()
        if self.query.get("setModifiedDate") != "true":
            told.pop("modifiedDate", None)
        return told

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
