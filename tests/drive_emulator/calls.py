"""From a request to its answer: which call it is, whether it may, what goes wrong with it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
import time
from collections.abc import Callable

from drive_emulator import files, media, revisions, shared_drives
from drive_emulator.accounts import Grant
from drive_emulator.answers import Answer, DriveError, error, html_page
from drive_emulator.exchange import Dropped, Exchange
from drive_emulator.faults import Fault, Faults
from drive_emulator.sign_in import SignIn
from drive_emulator.storage import Storage
from drive_emulator.uploads import Uploads

_ROUTES = (
    ("POST", r"/token", "token"),
    ("GET", r"/auth", "sign_in.page"),
    ("PUT", r"/upload/drive/v2/files\?question", "upload.query"),
    ("PUT", r"/upload/drive/v2/files\?session", "upload.put"),
    ("POST", r"/upload/drive/v2/files\?session", "upload.put"),
    ("POST", r"/upload/drive/v2/files", "files.insert"),
    ("PUT|PATCH", r"/upload/drive/v2/files/[^/]+", "files.update"),
    ("GET", r"/drive/v2/about", "about.get"),
    ("GET", r"/drive/v2/files/generateIds", "files.generateIds"),
    ("GET", r"/drive/v2/files", "files.list"),
    ("POST", r"/drive/v2/files", "files.insert"),
    ("GET", r"/drive/v2/files/[^/]+\?media", "media.get"),
    ("GET", r"/drive/v2/files/[^/]+", "files.get"),
    ("PUT|PATCH", r"/drive/v2/files/[^/]+", "files.update"),
    ("DELETE", r"/drive/v2/files/[^/]+", "files.delete"),
    ("POST", r"/drive/v2/files/[^/]+/(un)?trash", "files.trash"),
    ("GET", r"/drive/v2/files/[^/]+/revisions", "revisions.list"),
    ("PUT|PATCH", r"/drive/v2/files/[^/]+/revisions/[^/]+", "revisions.update"),
    ("GET", r"/drive/v2/files/[^/]+/permissions", "permissions.list"),
    ("POST", r"/drive/v2/files/[^/]+/permissions", "permissions.insert"),
)
_READS = {
    "about.get",
    "files.generateIds",
    "files.list",
    "media.get",
    "files.get",
    "permissions.list",
    "revisions.list",
}


def name_call(exchange: Exchange) -> str | None:
    """As "files.list"; None for what is no call of the API."""
    path = exchange.path
    if "upload_id" in exchange.query:
        path += "?question" if exchange.headers.get("Content-Range", "").startswith("bytes */") else "?session"
    elif exchange.query.get("alt") == "media":
        path += "?media"
    matches = (n for method, route, n in _ROUTES if re.fullmatch(method, exchange.method) and re.fullmatch(route, path))
    return next(matches, None)


class Calls:
    def __init__(self, storage: Storage, faults: Faults) -> None:
        self.storage = storage
        self.faults = faults
        self.uploads = Uploads(storage)
        self.sign_in = SignIn(storage)
        self.latency_s = 0.0
        self.stopping = threading.Event()
        self._lost: set[tuple[str, str]] = set()

    def answer(self, op: str, exchange: Exchange) -> Answer:
        if self.latency_s:
            self.stopping.wait(self.latency_s)
        fault = self.faults.take(op, exchange.span)
        try:
            answer = self._strike(fault, op, exchange) if fault else self._call(op, exchange)
        except DriveError as failure:
            exchange.body.drain()
            answer = failure.answer
        finally:
            if op == "upload.put":
                exchange.lost = self.uploads.lost(exchange)
        return answer

    def _strike(self, fault: Fault, op: str, exchange: Exchange) -> Answer:
        if fault.kind == "stall":
            self.stopping.wait(fault.for_s)
            raise Dropped
        if fault.kind == "reset":
            return self._reset(fault, op, exchange)
        if fault.kind in ("answer", "early", "gone"):
            return self._refuse(fault, op, exchange)
        if fault.kind == "short":
            return self.uploads.put(exchange, keep_bytes=fault.keep_bytes)
        if fault.kind == "lost_commit":
            return self._lose_commit(fault, op, exchange)
        answer = self._call(op, exchange)
        if fault.kind == "wrong_md5":
            self._spoil(exchange)
            return self._call("files.get", exchange) if op == "files.get" else answer
        if answer.status < 400 and fault.status == 0:
            raise Dropped
        return answer if answer.status >= 400 else _worded(fault)

    def _reset(self, fault: Fault, op: str, exchange: Exchange) -> Answer:
        if op == "media.get":
            answer = self._call(op, exchange)
            return dataclasses.replace(answer, cut_after=fault.after_bytes)
        exchange.body.cut_after = fault.after_bytes
        if op == "upload.put":
            self.uploads.put(exchange)
        raise Dropped

    def _refuse(self, fault: Fault, op: str, exchange: Exchange) -> Answer:
        if fault.kind == "early":
            return self._answer_early(fault, exchange)
        if fault.kind == "gone":
            self.uploads.forget(exchange)
        elif op == "upload.put" and fault.after_bytes:
            self.uploads.put(exchange, keep_bytes=fault.after_bytes)
        exchange.body.drain()
        return _worded(fault)

    def _answer_early(self, fault: Fault, exchange: Exchange) -> Answer:
        exchange.body.cut_after = fault.after_bytes
        with contextlib.suppress(Dropped):
            self.uploads.put(exchange)
        answer = _worded(fault)
        return dataclasses.replace(answer, cut_after=len(answer.body))

    def _lose_commit(self, fault: Fault, op: str, exchange: Exchange) -> Answer:
        answer = self._call(op, exchange)
        if exchange.parts[0] != "upload" or answer.status != 200 or not answer.body:
            return answer
        with self.storage.lock:
            file = self.storage.files[json.loads(answer.body)["id"]]
        name = (file.owner, file.title)
        if name in self._lost:
            return answer
        self._lost.add(name)
        return _worded(fault)

    def _spoil(self, exchange: Exchange) -> None:
        with self.storage.lock:
            newest = self.storage.files.get(exchange.parts[3]) if len(exchange.parts) > 3 else None
            newest = newest or max(self.storage.files.values(), key=lambda f: f.modified)
            if newest.blob is not None:
                newest.blob = dataclasses.replace(newest.blob, md5="0" * 32, sha256="0" * 64)

    def _call(self, op: str, exchange: Exchange) -> Answer:
        if op == "token":
            return self.sign_in.token(exchange)
        if op == "sign_in.page":
            return self.sign_in.page(exchange)
        if op in ("upload.put", "upload.query"):
            return self.uploads.put(exchange)
        grant = self.storage.accounts.by_header(exchange.headers.get("Authorization"), time.monotonic())
        if not (grant.may_read() if op in _READS else grant.may_write()):
            raise DriveError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        shared_drives.check_asked(exchange, self.storage)
        if exchange.parts[0] == "upload":
            upload = self.uploads.insert if op == "files.insert" else self.uploads.update
            return upload(exchange, grant)
        return _CALLS[op](exchange, self.storage, grant)


def _worded(fault: Fault) -> Answer:
    status = fault.status or 503
    answer = html_page(status) if fault.html else error(status, fault.reason, f"{fault.reason} (as the test asked)")
    if fault.retry_after_s is not None:
        answer.headers["Retry-After"] = f"{fault.retry_after_s:g}"
    return answer


_CALLS: dict[str, Callable[[Exchange, Storage, Grant], Answer]] = {
    "about.get": files.about,
    "files.generateIds": files.generate_ids,
    "files.list": files.find_all,
    "files.insert": files.insert,
    "files.get": files.get,
    "files.update": files.change,
    "files.delete": files.delete,
    "files.trash": files.set_trash,
    "media.get": media.download,
    "permissions.list": files.permissions,
    "revisions.list": revisions.listing,
    "revisions.update": revisions.change,
    "permissions.insert": files.add_permission,
}
