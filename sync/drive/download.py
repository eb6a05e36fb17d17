"""Content from Drive, streamed. A broken connection is continued at the same byte as long as bytes keep coming."""

from __future__ import annotations

from typing import BinaryIO, Final

import requests

from batonpass.core.errors import ConflictError, StoreUnreachableError
from batonpass.core.storage import Transfer
from batonpass.sync.drive.failures import from_answer, own_disk
from batonpass.sync.drive.http import DriveHttp
from batonpass.sync.stores.bodies import check_stop


def download(http: DriveHttp, file_id: str, to: BinaryIO, *, key: str, offset: int, transfer: Transfer) -> int:
    """Write the file's bytes from `offset` into `to`; returns how many. StoreError; ConflictError if it changed meanwhile."""
    reading = _Download(http, file_id, to, key=key, offset=offset, transfer=transfer)
    while True:
        before = reading.at
        try:
            reading.run()
        except (requests.RequestException, _Short):
            if reading.at == before:
                raise StoreUnreachableError("the connection broke before a byte came") from None
        else:
            return reading.at - offset


_ASK_BYTES: Final = 4 << 20
"""A smaller file is simply read again when its etag changes in the middle."""


class _Short(Exception):  # noqa: N818  # never leaves this file
    """Fewer bytes came than were announced."""


class _Download:
    def __init__(
        self, http: DriveHttp, file_id: str, to: BinaryIO, *, key: str, offset: int, transfer: Transfer
    ) -> None:
        self.http = http
        self.file_url = f"{http.root_url}drive/v2/files/{file_id}"
        self.to = to
        self.key = key
        self.at = offset
        self.transfer = transfer
        self.etag: str | None = None
        self.revision: str | None = None

    def run(self) -> None:
        """One request for the rest."""
        check_stop(self.transfer, op="fetch", key=self.key)
        headers = {"Accept-Encoding": "identity"}
        if self.at:
            headers["Range"] = f"bytes={self.at}-"
        url = f"{self.file_url}?alt=media&supportsAllDrives=true"
        with self.http.send("GET", url, headers=headers, stream=True) as answer:
            if answer.status_code == 416:
                return
            if answer.status_code not in (200, 206):
                raise from_answer(answer.status_code, answer.headers, answer.content)
            self._check_version(answer)
            skip = self.at if answer.status_code == 200 else 0
            self._copy(answer, skip)

    def _check_version(self, answer: requests.Response) -> None:
        """The bytes come from one version of the object. An etag may change without the content: for a file that is worth a
        question, the revision decides.
        """
        etag = answer.headers.get("ETag")
        if self.etag is None and int(answer.headers.get("Content-Length") or 0) > _ASK_BYTES:
            said, self.revision = self._ask_revision()
            self.revision = self.revision if said == etag else None
        elif self.etag is not None and etag != self.etag:
            said, revision = self._ask_revision()
            if self.revision is None or said != etag or revision != self.revision:
                raise ConflictError(f"{self.key} changed while it was being read", hint="read it again")
        self.etag = etag

    def _ask_revision(self) -> tuple[str | None, str | None]:
        """The file's etag and its head's revision now (5 quota units)."""
        answer = self.http.send("GET", f"{self.file_url}?fields=etag,headRevisionId&supportsAllDrives=true")
        if answer.status_code != 200:
            return None, None
        tree = answer.json()
        return tree.get("etag"), tree.get("headRevisionId")

    def _copy(self, answer: requests.Response, skip: int) -> None:
        announced = answer.headers.get("Content-Length")
        end = self.at - skip + int(announced) if announced else None
        for block in answer.iter_content(self.http.down.block_bytes):
            self._wait(len(block), int(announced or 0))
            wanted = block[min(skip, len(block)) :]
            skip -= len(block) - len(wanted)
            with own_disk():
                self.to.write(wanted)
            self.at += len(wanted)
            self.transfer.on_progress(self.at, end or self.at)
            if self.at != end:
                check_stop(self.transfer, op="fetch", key=self.key)
        if end is not None and self.at < end:
            raise _Short

    def _wait(self, count: int, announced: int) -> None:
        pace = self.http.down
        if 0 < announced <= pace.at_once_bytes:
            pace.note(count)
        else:
            pace.take(count, self.transfer.should_stop)
