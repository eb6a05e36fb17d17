"""Compare-and-swap. v2's If-Match does it where Drive honours it for content; where it does not, the revisions tell who was first.

Which of the two it is nobody promises, so it is asked once: the first swap is sent on a condition that never holds. A version is the
content's revision: an etag also changes when nobody wrote, and then the swap is simply sent again with the newer etag.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from batonpass.core.errors import ConflictError, StoreUnreachableError
from batonpass.core.storage import Transfer
from batonpass.sync.drive.failures import from_answer
from batonpass.sync.drive.history import History, mark_after, mark_again, read_history, read_revisions
from batonpass.sync.drive.http import DriveHttp
from batonpass.sync.drive.payload import Payload
from batonpass.sync.drive.pydrive import PyDrive
from batonpass.sync.drive.resources import Resource, version_of
from batonpass.sync.drive.upload import MULTIPART_BYTES, Target, upload

_TRIES: Final = 8
_HINT: Final = "read it again, then decide"


class Swapper:
    """Replaces exactly one version of a file."""

    def __init__(self, http: DriveHttp, drive: PyDrive) -> None:
        self._http = http
        self._drive = drive
        self._honoured: bool | None = None
        self._etags: dict[str, tuple[str, str]] = {}
        self._swapped: set[str] = set()
        self._doubts: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def saw(self, resource: Resource) -> None:
        """The newest that Drive said about a file."""
        with self._lock:
            self._etags[str(resource["id"])] = (version_of(resource), str(resource["etag"]))

    def read(self, file_id: str) -> bytes | None:
        """The current content of a small file, where the head may for a moment be a write that came too late; None where it is not."""
        if self._honoured is not False or file_id not in self._swapped:
            return None
        return self._content(file_id, self._history(file_id).current.id)

    def swap(self, key: str, payload: Payload, expect: str, file_id: str, transfer: Transfer) -> Resource:
        """Drive's words about the written file. ConflictError where another version is there; NotFoundError where there is none.

        An answer lost earlier is recognised by the bytes that this call left there.
        """
        mine = (file_id, expect, payload.digest.md5)
        self._swapped.add(file_id)
        try:
            for _ in range(_TRIES):
                found = self._etag(mine, payload)
                resource = self._send(mine, payload, found, transfer) if isinstance(found, str) else found
                if resource is not None:
                    return self._settle(mine, resource)
        except ConflictError:
            self._doubt(mine, doubted=False)
            raise
        raise StoreUnreachableError(
            f"{key} is not written but changes all the time", hint="nothing to do: it is tried again"
        )

    def _etag(self, mine: tuple[str, str, str], payload: Payload) -> str | Resource:
        """The etag of the expected version; the resource where an earlier try has written it already. ConflictError otherwise."""
        file_id, expect, _ = mine
        with self._lock:
            version, etag = self._etags.get(file_id, ("", ""))
        if self._honoured and version == expect:
            return etag
        resource = self._drive.get(file_id)
        self.saw(resource)
        if version_of(resource) == expect or (self._honoured is False and expect in self._history(file_id).names):
            return str(resource["etag"])
        if mine in self._doubts and payload.equals(resource):
            return resource
        raise ConflictError(f"{payload.key} has changed", hint=_HINT)

    def _send(self, mine: tuple[str, str, str], payload: Payload, etag: str, transfer: Transfer) -> Resource | None:
        """Drive's words; None where the etag is no longer the file's, or only the question was answered."""
        file_id, expect, md5 = mine
        ask = self._honoured is None and transfer.token is None and payload.size_bytes <= MULTIPART_BYTES
        metadata = {} if self._honoured else {"originalFilename": mark_after(expect, md5)}
        target = Target(metadata, file_id, _another(etag) if ask else etag)
        try:
            resource = upload(
                self._http, target, payload, Transfer(should_stop=transfer.should_stop) if ask else transfer
            )
        except StoreUnreachableError:
            self._doubt(mine, doubted=True)
            raise
        except ConflictError:
            with self._lock:
                if not ask:
                    self._etags.pop(file_id, None)
                elif self._honoured is None:
                    self._honoured = True
            return None
        if ask:
            self._honoured = False
            transfer.on_progress(payload.size_bytes, payload.size_bytes)
        return resource

    def _settle(self, mine: tuple[str, str, str], resource: Resource) -> Resource:
        """The swap is written. Where Drive did not see to the order, look who was first; who was not puts back what it replaced."""
        file_id = mine[0]
        if not self._honoured:
            self._doubt(mine, doubted=True)  # written, but not known to count: the next try looks again
            history = self._mend(file_id)
            if version_of(resource) not in history.accepted:
                raise ConflictError("somebody else wrote here at the same moment", hint=_HINT)
        self._doubt(mine, doubted=False)
        return resource

    def _mend(self, file_id: str) -> History:
        """Bring the current content back where an unlawful one is the head."""
        for _ in range(_TRIES):
            history = self._history(file_id)
            if history.whole:
                return history
            content = self._content(file_id, history.current.id)
            mark = mark_again(history.current.id, history.current.md5)
            upload(self._http, Target({"originalFilename": mark}, file_id), Payload(content, file_id), Transfer())
        raise StoreUnreachableError("many write here at the same moment", hint="nothing to do: it is tried again")

    def _history(self, file_id: str) -> History:
        fields = "items(id,modifiedDate,md5Checksum,originalFilename)"
        tree = self._ask(f"{file_id}/revisions?maxResults=1000&fields={fields}").json()
        revisions = read_revisions(tree["items"])
        if not revisions:
            raise StoreUnreachableError("Google Drive tells of no revision", hint="nothing to do: it is tried again")
        return read_history(revisions)

    def _content(self, file_id: str, revision_id: str) -> bytes:
        return bytes(self._ask(f"{file_id}?alt=media&revisionId={revision_id}&supportsAllDrives=true").content)

    def _ask(self, path: str) -> Any:
        answer = self._http.send("GET", f"{self._http.root_url}drive/v2/files/{path}")
        if answer.status_code == 404:  # of a file that was written or read just now: no proof that it is gone
            raise StoreUnreachableError("Google Drive does not tell a file's revisions", hint="it is tried again")
        if answer.status_code != 200:
            raise from_answer(answer.status_code, answer.headers, answer.content)
        return answer

    def _doubt(self, swap: tuple[str, str, str], *, doubted: bool) -> None:
        """Whether the last answer to this very swap was lost."""
        with self._lock:
            (self._doubts.add if doubted else self._doubts.discard)(swap)


def _another(etag: str) -> str:
    """An etag that is well formed and not this one."""
    return f'{etag[:-2]}{"B" if etag[-2:-1] == "A" else "A"}"'
