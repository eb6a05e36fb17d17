"""Content that arrives: multipart in one request, or a resumable session whose answers may keep less than was sent."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

from drive_emulator.accounts import Grant
from drive_emulator.answers import Answer, DriveError, as_json, not_found
from drive_emulator.exchange import Dropped, Exchange
from drive_emulator.fields import select
from drive_emulator.files import in_its_words
from drive_emulator.storage import File, Hashes, Storage
from drive_emulator.v3 import to_v2

UNIT = 256 * 1024
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


@dataclass
class Session:
    """A resumable upload. Its URI is all that is needed to write to it."""

    grant: Grant
    body: dict[str, Any]
    target: str | None
    if_match: str | None
    fields: str | None
    path: Path
    offset: int = 0
    finished: File | None = None
    hashes: Hashes = field(default_factory=Hashes)
    requests: int = 0
    """Counts those that brought content: a newer one ends an older one that still drips in."""


class Uploads:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.sessions: dict[str, Session] = {}

    def insert(self, exchange: Exchange, grant: Grant) -> Answer:
        return self._begin(exchange, grant, None)

    def update(self, exchange: Exchange, grant: Grant) -> Answer:
        with self.storage.lock:
            file = self.storage.find(grant, exchange.part(4))
            self._check_match(file, exchange.if_match)
            self.storage.check_writer(grant, file)
        return self._begin(exchange, grant, file.id)

    def _check_match(self, file: File, if_match: str | None) -> None:
        if self.storage.moods.temper.media_if_match:
            self.storage.check_match(file, if_match)

    def _begin(self, exchange: Exchange, grant: Grant, target: str | None) -> Answer:
        if exchange.query.get("uploadType") == "resumable":
            return self._open(exchange, grant, target)
        if exchange.query.get("uploadType") == "multipart":
            body, content = _parts(exchange)
            body = to_v2(body) if exchange.version == 3 else body
        else:
            body, content = {}, exchange.body.read_all()
        path = self.storage.new_blob_path()
        path.write_bytes(content)
        session = Session(grant, body, target, exchange.if_match, exchange.query.get("fields"), path)
        return self._commit(session, exchange)

    def _open(self, exchange: Exchange, grant: Grant, target: str | None) -> Answer:
        body = exchange.metadata()
        path = self.storage.new_blob_path()
        path.touch()
        with self.storage.lock:
            if target is None:
                self.storage.check_new(grant, body)
            self.storage.check_day(grant.account)
            owner = self.storage.files[target].owner if target else self.storage.payer(grant, body)
            self.storage.check_space(owner, int(exchange.headers.get("X-Upload-Content-Length") or 0))
            secret = "AEnB2U-session-" + secrets.token_urlsafe(24)
            session = Session(grant, body, target, exchange.if_match, exchange.query.get("fields"), path)
            self.sessions[secret] = session
            self.storage.accounts.handed_out.append(secret)
        where = f"{exchange.base_url}upload/drive/v{exchange.version}/files?uploadType=resumable&upload_id={secret}"
        return Answer(200, {"Location": where})

    def session(self, exchange: Exchange) -> Session:
        session = self.sessions.get(exchange.query["upload_id"])
        if session is None:
            raise not_found("upload session")
        return session

    def forget(self, exchange: Exchange) -> None:
        self.sessions.pop(exchange.query["upload_id"], None)

    def lost(self, exchange: Exchange) -> int:
        """How many bytes of this request came and are not kept now. What was there before is not lost by coming again."""
        session = self.sessions.get(exchange.query["upload_id"])
        start = exchange.span[0] if exchange.span else 0
        kept = session.offset if session is not None else 0
        return max(0, exchange.body.taken - max(0, kept - start))

    def put(self, exchange: Exchange, *, keep_bytes: int | None = None) -> Answer:
        """Content for a session, or the question how far it came. `keep_bytes`: of this request's content, keep only so much."""
        session = self.session(exchange)
        match = _RANGE.fullmatch(exchange.headers.get("Content-Range") or "")
        if match is None:
            raise DriveError(400, "badContent", "Failed to parse Content-Range header.")
        if session.finished is not None:
            exchange.body.drain()
            return self._show(session, session.finished, exchange)
        total = int(match[3])
        if match[1] is not None:
            if int(match[1]) > session.offset:
                exchange.body.drain()
                raise DriveError(400, "invalid", "Invalid request. There were bytes missing before this range.")
            if keep_bytes is None:
                keep_bytes = self.storage.moods.kept(exchange.body.left)
            self._receive(session, exchange, int(match[1]), total, keep_bytes)
        if session.offset == total:
            return self._commit(session, exchange)
        return Answer(308, {"Range": f"bytes=0-{session.offset - 1}"} if session.offset else {})

    def _receive(self, session: Session, exchange: Exchange, start: int, total: int, keep_bytes: int | None) -> None:
        session.requests += 1
        mine = session.requests
        limit = total if keep_bytes is None else min(total, start + keep_bytes)
        at = start
        with session.path.open("r+b") as file:
            file.seek(start)
            while block := exchange.body.read(1 << 18):
                with self.storage.lock:
                    if session.requests != mine:
                        raise Dropped
                    kept = block[: limit - at] if at < limit else b""
                    file.write(kept)
                    file.flush()
                    session.hashes.take(at, kept)
                    at = min(at + len(block), limit)
                    session.offset = at if at == total else max(session.offset, at // UNIT * UNIT)

    def _commit(self, session: Session, exchange: Exchange) -> Answer:
        storage = self.storage
        blob = storage.seal(session.path, session.hashes)
        with storage.lock:
            if session.target is None:
                session.finished = storage.insert(session.grant, session.body, blob)
            else:
                file = storage.find(session.grant, session.target)
                self._check_match(file, session.if_match)
                session.finished = storage.change(session.grant, file, session.body, blob)
            return self._show(session, session.finished, exchange)

    def _show(self, session: Session, file: File, exchange: Exchange) -> Answer:
        tree = in_its_words(exchange, self.storage, session.grant, file)
        return as_json(select(tree, session.fields), ETag=file.etag)


def _parts(exchange: Exchange) -> tuple[dict[str, Any], bytes]:
    """Metadata and content of a multipart/related body."""
    head = f"Content-Type: {exchange.headers['Content-Type']}\r\n\r\n".encode()
    parts = list(BytesParser(policy=HTTP).parsebytes(head + exchange.body.read_all()).iter_parts())
    if len(parts) != 2:
        raise DriveError(400, "badContent", "Malformed multipart body.")
    content = parts[1].get_payload(decode=True)
    return json.loads(parts[0].get_payload(decode=True)), content


__all__ = ["UNIT", "Dropped", "Session", "Uploads"]
