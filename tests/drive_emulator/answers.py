"""Answers, and errors worded as Google words them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO


@dataclass
class Answer:
    """Either `body`, or the bytes `start <= n < end` of an open file."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: BinaryIO | None = None
    start: int = 0
    end: int = 0
    cut_after: int | None = None
    """The connection is reset after so many bytes of the body."""

    @property
    def length(self) -> int:
        return self.end - self.start if self.file else len(self.body)

    @property
    def sent_bytes(self) -> int:
        return self.length if self.cut_after is None else min(self.length, self.cut_after)

    def blocks(self) -> Iterator[bytes]:
        if self.file is None:
            yield self.body
            return
        left = self.end - self.start
        with self.file as file:
            file.seek(self.start)
            while left > 0:
                block = file.read(min(left, 1 << 18))
                left -= len(block)
                yield block


class DriveError(Exception):
    """Ends a call with an error answer."""

    def __init__(self, status: int, reason: str, message: str = "", *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message or reason)
        self.answer = error(status, reason, message or reason, headers)


def as_json(tree: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json; charset=UTF-8", **headers}, json.dumps(tree).encode())


def error(status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    domain = "usageLimits" if status in (403, 429) else "global"
    one = {"domain": domain, "reason": reason, "message": message}
    answer = as_json({"error": {"errors": [one], "code": status, "message": message}}, status)
    answer.headers.update(headers or {})
    return answer


def html_page(status: int) -> Answer:
    """What a proxy between the client and Google says; it is no JSON."""
    page = f"<!DOCTYPE html><html lang=en><title>Error {status}</title><p>The server encountered a temporary error."
    return Answer(status, {"Content-Type": "text/html; charset=UTF-8"}, page.encode())


def not_found(file_id: str) -> DriveError:
    return DriveError(404, "notFound", f"File not found: {file_id}")
