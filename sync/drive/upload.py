"""Content to Drive: one multipart request for small things, else a resumable session with one PUT for everything that is missing.

The protocol is Google's "Upload file data" page. The server is asked how far it came before anything is sent again, and its answer may
be less than what was sent. Nothing here sleeps: when a session makes no progress the error goes to the caller, and the session's URI
stays in `Transfer.token`, so that the next try, or the next process, continues from there.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

import requests

from batonpass.core.errors import ConflictError, NotFoundError, StoreError, StoreUnreachableError
from batonpass.core.storage import Transfer
from batonpass.sync.drive.failures import from_answer
from batonpass.sync.drive.http import DriveHttp
from batonpass.sync.drive.payload import Payload
from batonpass.sync.drive.pydrive import FIELDS

MULTIPART_BYTES: Final = 4 << 20
"""Up to here a body goes in one request (Drive takes 5 MB)."""
_SESSIONS_PER_PUT = 3
_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Target:
    """Where content goes: a new file (`file_id` is None, `metadata` holds its id, title and parents), or an existing one."""

    metadata: dict[str, Any]
    file_id: str | None = None
    if_match: str | None = None

    @property
    def method(self) -> str:
        """POST makes, PUT replaces."""
        return "POST" if self.file_id is None else "PUT"

    def url(self, root_url: str, upload_type: str) -> str:
        """Where the upload begins."""
        path = "upload/drive/v2/files" + (f"/{self.file_id}" if self.file_id else "")
        return f"{root_url}{path}?uploadType={upload_type}&supportsAllDrives=true&fields={FIELDS}"

    def headers(self) -> dict[str, str]:
        """The condition, if there is one."""
        return {"If-Match": self.if_match} if self.if_match else {}


def upload(http: DriveHttp, target: Target, payload: Payload, transfer: Transfer) -> dict[str, Any]:
    """Drive's words about the written file. StoreError; ConflictError for a taken id (409) or another version (412)."""
    # heads, heartbeats, manifests and metrics are bytes, no files: they wait behind no file, whatever the cap
    capped = math.inf if isinstance(payload.body, bytes) else http.up.at_once_bytes
    if transfer.token is None and payload.size_bytes <= min(MULTIPART_BYTES, capped):
        return _send_at_once(http, target, payload, transfer)
    return _Resumable(http, target, payload, transfer).run()


def _send_at_once(http: DriveHttp, target: Target, payload: Payload, transfer: Transfer) -> dict[str, Any]:
    with payload.stream(0, transfer) as stream:
        content = b"".join(stream)
    boundary = secrets.token_hex(16)
    head = f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(target.metadata)}\r\n"
    middle = f"--{boundary}\r\nContent-Type: {_TYPE}\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    body = b"".join((head.encode(), middle.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    http.up.note(len(body))
    headers = {**target.headers(), "Content-Type": f"multipart/related; boundary={boundary}"}
    answer = http.send(target.method, target.url(http.root_url, "multipart"), headers=headers, data=body)
    resource = _resource(answer)
    transfer.on_progress(payload.size_bytes, payload.size_bytes)
    return resource


class _Resumable:
    """One upload by a session. `offset` is what the server said it has; None means: ask."""

    def __init__(self, http: DriveHttp, target: Target, payload: Payload, transfer: Transfer) -> None:
        self.http = http
        self.target = target
        self.payload = payload
        self.transfer = transfer
        self.offset: int | None = None
        self.best = -1
        self.sessions = 0
        self.renewed = False
        self._progress = 0

    def run(self) -> dict[str, Any]:
        """Until Drive says that it has all of it."""
        while True:
            try:
                answer, failure = self._step()
            except NotFoundError:  # the session is gone: a new one, for the same id, from the beginning
                self._set_token(None)
                if self.sessions >= _SESSIONS_PER_PUT:
                    raise
                continue
            except ConflictError:
                self._set_token(None)
                raise
            if answer.status_code in (200, 201):
                self._set_token(None)
                self.transfer.on_progress(self.payload.size_bytes, self.payload.size_bytes)
                return _resource(answer)
            self._go_on(_kept(answer), failure)

    def _step(self) -> tuple[requests.Response, StoreError | None]:
        """Open a session, or ask it how far it came, or send the rest. Also returns what is wrong if nothing more was kept."""
        if self.transfer.token is None:
            self._open()
        if self.offset is None:
            return self._check(self._put(None)), None
        failure: StoreError | None = StoreUnreachableError("Google Drive kept nothing of what was sent")
        try:
            answer = self._put(self.offset)
        except StoreUnreachableError as error:
            failure = error
        else:
            if answer.status_code == 401 and not self.renewed:
                self.renewed, failure = True, None
            elif answer.status_code >= 500:
                failure = from_answer(answer.status_code, answer.headers, answer.content)
            else:
                return self._check(answer), failure
        return self._check(self._put(None)), failure

    def _go_on(self, kept: int, failure: StoreError | None) -> None:
        """Continue after the `kept` bytes, as long as that is progress."""
        if kept >= self.payload.size_bytes:
            failure = StoreUnreachableError("Google Drive has every byte but has not finished the file")
        if failure is not None and (kept <= self.best or kept >= self.payload.size_bytes):
            raise failure
        self.offset = kept
        self.best = max(self.best, kept)
        self.transfer.on_kept(kept)

    def _open(self) -> None:
        headers = {
            **self.target.headers(),
            "X-Upload-Content-Type": _TYPE,
            "X-Upload-Content-Length": str(self.payload.size_bytes),
            "Content-Type": "application/json; charset=UTF-8",
        }
        url = self.target.url(self.http.root_url, "resumable")
        answer = self.http.send(
            self.target.method, url, headers=headers, data=json.dumps(self.target.metadata).encode()
        )
        if answer.status_code != 200:
            raise from_answer(answer.status_code, answer.headers, answer.content)
        if "Location" not in answer.headers:
            raise StoreUnreachableError("Google Drive opened an upload without saying where")
        self.sessions += 1
        self._set_token(answer.headers["Location"])
        self.offset = self.best = 0

    def _put(self, offset: int | None) -> requests.Response:
        """The rest from `offset`, or the empty question "how far" where that is None."""
        assert self.transfer.token is not None
        total = self.payload.size_bytes
        if offset is None:
            headers = {"Content-Range": f"bytes */{total}"}
            return self.http.send("PUT", self.transfer.token, headers=headers, data=b"")
        headers = {"Content-Range": f"bytes {offset}-{total - 1}/{total}", "Content-Type": _TYPE}
        with self.payload.stream(offset, self._forward_only(), self.http.up) as stream:
            return self.http.send("PUT", self.transfer.token, headers=headers, data=stream)

    def _forward_only(self) -> Transfer:
        """The caller's transfer, whose progress never goes back although an offset may."""

        def tell(sent: int, total: int) -> None:
            if sent > self._progress:
                self._progress = sent
                self.transfer.on_progress(sent, total)

        return Transfer(on_progress=tell, should_stop=self.transfer.should_stop)

    def _check(self, answer: requests.Response) -> requests.Response:
        """The answer, if it is one of a living session."""
        status = answer.status_code
        if status in (200, 201, 308):
            return answer
        failure = from_answer(status, answer.headers, answer.content)
        if status in (400, 404, 410):
            raise NotFoundError("the upload's session is gone")
        raise failure

    def _set_token(self, token: str | None) -> None:
        self.transfer.token = token
        self.offset = None
        self.transfer.on_token(token)


def _kept(answer: requests.Response) -> int:
    """How many bytes the server has, from the Range header of a 308; no header means none."""
    match = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
    return int(match[1]) + 1 if match else 0


def _resource(answer: requests.Response) -> dict[str, Any]:
    if answer.status_code not in (200, 201):
        raise from_answer(answer.status_code, answer.headers, answer.content)
    tree: dict[str, Any] = json.loads(answer.content)
    return tree
