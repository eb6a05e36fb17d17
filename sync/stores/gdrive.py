"""Runs kept on Google Drive through its API (v2): objects, queries and permissions by PyDrive2, content by `sync.drive.upload` and
`download`. How Drive's answers become errors: `sync.drive.failures`.
"""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from batonpass.core.errors import NotFoundError, StoreError, StoreFullError, UsageError
from batonpass.core.naming import check_key, check_prefix
from batonpass.core.settings import Settings
from batonpass.core.storage import ObjectInfo, Properties, Transfer
from batonpass.sync.drive.download import download
from batonpass.sync.drive.failures import from_answer, guarded, translated
from batonpass.sync.drive.http import DriveHttp
from batonpass.sync.drive.ids import Ids
from batonpass.sync.drive.pace import Pace, pace_of
from batonpass.sync.drive.payload import Payload
from batonpass.sync.drive.pydrive import FOLDER_TYPE, PyDrive
from batonpass.sync.drive.resources import Resource, check_object, info_of
from batonpass.sync.drive.tree import Tree
from batonpass.sync.drive.writing import Writer
from batonpass.sync.sign_in import Credential, check_endpoint, find_credential

_PROPERTIES = Properties(
    proves_arrival=True,
    compare_and_swap=True,
    unique_keys=False,
    listing_lags=True,
    has_ids=True,
    may_answer_md5_only=True,
    streams=3,
    keeps_pace=True,
)

_NO_SPACE_HINT = "a service account owns no space: use a folder of a shared drive with room (gdrive://id:<folder id>), or sign in as a person"


def open_gdrive(url: str, settings: Settings) -> GDriveStore:
    """The store at `gdrive://<folder in My Drive>` or `gdrive://id:<folder id>`. Sends nothing; the folder is created by the first put.

    UsageError for a URL that names no folder, SignInError where there is no credential.
    """
    root = unquote(url.removeprefix("gdrive://")).strip("/")
    if not root or "/" in root or root == "id:":
        raise UsageError(
            f"{url} names no folder directly in My Drive", hint="use gdrive://batonpass, or gdrive://id:<folder id>"
        )
    endpoint = check_endpoint(settings.drive_endpoint, "BATONPASS_DRIVE_ENDPOINT") if settings.drive_endpoint else None
    up, down = (
        pace_of("up", settings.max_upload_mbit_s),
        pace_of("down", settings.max_download_mbit_s),
    )
    return GDriveStore(root, find_credential(settings), endpoint, up=up, down=down)


class GDriveStore:
    """`core.storage.Store` on Google Drive. Twins of one key: the oldest counts, then the smaller id."""

    def __init__(
        self,
        root: str,
        credential: Credential,
        endpoint: str | None = None,
        *,
        up: Pace | None = None,
        down: Pace | None = None,
    ) -> None:
        self._root = root
        self.credential = credential
        self._drive = PyDrive(credential, endpoint)
        self._http = DriveHttp(credential, self._drive.root_url, up=up, down=down)
        self._ids = Ids(self._http)
        self._tree = Tree(self._drive, self._ids, root)
        self._writer = Writer(self._http, self._drive, self._ids, self._tree)

    @property
    def url(self) -> str:
        """`gdrive://<folder>`."""
        return f"gdrive://{quote(self._root, safe=': ')}"

    @property
    def properties(self) -> Properties:
        """Arrival is proven and compare-and-swap is real; names are not unique and listings lag."""
        return _PROPERTIES

    @translated("put")
    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        expect: str | None = None,
        store_id: str | None = None,
        transfer: Transfer | None = None,
    ) -> ObjectInfo:
        """Write a whole object, under the contract of `core.storage`.

        A body above 4 MiB goes through a resumable session; give a `transfer` to continue it in a later call or process.
        """
        check_key(key)
        try:
            return self._writer.put(
                key, Payload(body, key), expect=expect, store_id=store_id, transfer=transfer or Transfer()
            )
        except StoreFullError as error:
            if self.credential.kind == "service account":
                error.hint = _NO_SPACE_HINT
            raise

    @translated("get")
    def get(self, key: str, *, store_id: str | None = None) -> bytes:
        """The content of a small object."""
        check_key(key)
        file_id = store_id or self._tree.known(key)
        with suppress(NotFoundError):  # a known id may be gone: then the key is looked for below
            current = self._writer.read(file_id) if file_id is not None else None
            if current is not None:
                return current
        to = io.BytesIO()
        self._fetch(key, to, store_id, 0, Transfer())
        return to.getvalue()

    @translated("fetch")
    def fetch(
        self, key: str, to: BinaryIO, *, store_id: str | None = None, offset: int = 0, transfer: Transfer | None = None
    ) -> int:
        """Stream an object from `offset` into an open file, 1 MiB at a time."""
        return self._fetch(key, to, store_id, offset, transfer or Transfer())

    @translated("stat")
    def stat(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """What Drive says about one object, with the checksums that Drive itself has computed (5 quota units by id)."""
        return self._info(key, self._look(key, store_id))

    @translated("checksum")
    def checksum(self, key: str, *, store_id: str | None = None) -> ObjectInfo:
        """The same answer as `stat`: Drive always knows the md5 of what it holds."""
        return self._info(key, self._look(key, store_id))

    @translated("list")
    def list_objects(self, prefix: str) -> list[ObjectInfo]:
        """Every object under a folder, in key order; one query per folder. Of twins only the one that counts, by which each key is known
        from then on, also where this client made another.
        """
        path = check_prefix(prefix).rstrip("/")
        found: dict[str, ObjectInfo] = {}
        waiting = [(path, self._tree.folder(path, fresh=True))]
        while waiting:
            here, ids = waiting.pop()
            below: dict[str, list[str]] = {}
            for resource in self._tree.children(ids):
                key = f"{here}/{resource['title']}" if here else str(resource["title"])
                if resource["mimeType"] == FOLDER_TYPE:
                    below.setdefault(key, []).append(str(resource["id"]))
                elif key not in found and "fileSize" in resource:
                    found[key] = info_of(key, resource)
                    self._tree.remember(key, str(resource["id"]))
            waiting += [(name, tuple(twins)) for name, twins in below.items()]
        found |= {key: info_of(key, resource) for key, resource in self._tree.unlisted(path, set(found))}
        return [found[key] for key in sorted(found)]

    @translated("list")
    def list_folders(self, prefix: str) -> list[str]:
        """The folders directly under a folder, sorted."""
        path = check_prefix(prefix).rstrip("/")
        ids = self._tree.folder(path, fresh=True)
        names = {str(r["title"]) for r in self._tree.children(ids) if r["mimeType"] == FOLDER_TYPE}
        return sorted(names.union(self._tree.unlisted_folders(path, names)))

    @translated("delete")
    def delete(self, key: str, *, store_id: str | None = None) -> None:
        """Remove an object for good; without an id all its twins. StoreError for an id that is another object's."""
        check_key(key)
        if store_id is None:
            doomed = [str(r["id"]) for r in self._tree.find(key)]
        else:
            doomed = [store_id] if self._is_ours(key, store_id) else []
        for file_id in doomed:
            try:
                self._drive.delete(file_id)
            except NotFoundError:
                continue
        self._tree.forget(key)

    def new_ids(self, count: int) -> list[str]:
        """Ids to create objects under; Drive gives them out by the hundred (5 quota units)."""
        return guarded("new_ids", "", lambda: self._ids.take(count))

    def now(self) -> datetime:
        """Drive's clock, from the Date header of an answer at most a minute old."""
        return guarded("now", "", self._now)

    def about(self) -> dict[str, Any]:
        """The account's quota and user in Drive v2's words, for `sync.doctor`."""
        return guarded("about", "", self._drive.about)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()
        self._drive.close()

    def _fetch(self, key: str, to: BinaryIO, store_id: str | None, offset: int, transfer: Transfer) -> int:
        check_key(key)
        file_id = store_id or self._tree.known(key)
        if file_id is not None:
            try:
                return download(self._http, file_id, to, key=key, offset=offset, transfer=transfer)
            except NotFoundError:
                if store_id is not None:
                    raise
                self._tree.forget(key)
        found = self._first(key)
        return download(self._http, str(found["id"]), to, key=key, offset=offset, transfer=transfer)

    def _info(self, key: str, resource: Resource) -> ObjectInfo:
        self._writer.saw(resource)
        return info_of(key, resource)

    def _look(self, key: str, store_id: str | None) -> Resource:
        check_key(key)
        file_id = store_id or self._tree.known(key)
        if file_id is not None:
            try:
                resource = self._drive.get(file_id)
            except NotFoundError:
                if store_id is not None:
                    raise
                self._tree.forget(key)
            else:
                return check_object(key, resource)
        return self._first(key)

    def _first(self, key: str) -> Resource:
        found = self._tree.find(key)
        if not found:
            raise NotFoundError(f"{key} is not on {self.url}, as far as its listing tells")
        return found[0]

    def _is_ours(self, key: str, store_id: str) -> bool:
        """Whether the file is there; StoreError if it is not the one that the key stands for. Ids from files are untrusted."""
        try:
            resource = self._drive.get(store_id)
        except NotFoundError:
            return False
        if not self._tree.holds(key, resource):
            raise StoreError(f"the id given for {key} is another file's; it was left alone")
        return True

    def _now(self) -> datetime:
        known = self._http.clock.now()
        if known is None:
            answer = self._http.send("GET", f"{self._http.root_url}drive/v2/about?fields=kind")
            if answer.status_code != 200:
                raise from_answer(answer.status_code, answer.headers, answer.content)
            known = self._http.clock.now()
        return known or datetime.now(UTC)
