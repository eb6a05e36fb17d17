"""PyDrive2 over google-auth credentials, and the calls about files that we make through it.

PyDrive2 1.21 still speaks oauth2client; `_Adapter` is what its GoogleAuth needs of a credential. PyDrive2 objects are never shared
between threads: each call makes its own.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from pydrive2.auth import GoogleAuth
from pydrive2.drive import GoogleDrive

from batonpass.sync.drive.failures import guarded
from batonpass.sync.sign_in import TIMEOUT_S, Credential

FOLDER_TYPE = "application/vnd.google-apps.folder"
FIELDS = (
    "id,title,mimeType,etag,headRevisionId,fileSize,md5Checksum,sha256Checksum,createdDate,modifiedDate,"
    "labels(trashed),parents(id),ownedByMe,owners(displayName),driveId"
)
"""What we ask of every file."""


class _Bearer:
    """What one connection needs of the shared credential. It remembers the token it sent, so that a rejected one is replaced once."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._sent: str | None = None

    def before_request(self, _request: object, _method: str, _url: str, headers: dict[str, str]) -> None:
        self._credential.ensure_fresh()
        self._sent = self._credential.google.token
        self._credential.google.apply(headers, self._sent)  # type: ignore[no-untyped-call]

    def refresh(self, _request: object) -> None:
        self._credential.replace(self._sent)


class _Adapter:
    """A google-auth credential as PyDrive2's GoogleAuth expects one."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._opened: list[httplib2.Http] = []
        self._lock = threading.Lock()

    @property
    def access_token_expired(self) -> bool:
        """Asked before every call; refreshes here, so that PyDrive2 never starts its own login (it would open a browser)."""
        self._credential.ensure_fresh()
        return False

    def authorize(self, http: httplib2.Http) -> AuthorizedHttp:
        with self._lock:
            self._opened.append(http)
        return AuthorizedHttp(_Bearer(self._credential), http=http)

    def refresh(self, _http: httplib2.Http) -> None:
        self._credential.ensure_fresh()

    def set_store(self, _store: object) -> None:
        """Nothing is stored: the token's home is the user's secret."""

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
        for http in opened:
            http.close()


class PyDrive:
    """Drive's calls about files, as plain dictionaries in Drive v2's words. Every error is a StoreError."""

    def __init__(self, credential: Credential, endpoint: str | None) -> None:
        document = json.loads(get_static_doc("drive", "v2"))
        if endpoint is not None:
            document["rootUrl"] = endpoint
            document["baseUrl"] = endpoint + document["servicePath"]
        self.root_url: str = document["rootUrl"]
        self._adapter = _Adapter(credential)
        auth = GoogleAuth(settings_file=None, http_timeout=TIMEOUT_S)
        auth.credentials = self._adapter
        # Built here, before there are threads: PyDrive2 would build it lazily and without a lock.
        auth.service = build_from_document(document, http=self._adapter.authorize(httplib2.Http(timeout=TIMEOUT_S)))
        self._drive = GoogleDrive(auth)

    def get(self, file_id: str) -> dict[str, Any]:
        """What Drive says about one file (5 quota units)."""
        file = self._drive.CreateFile({"id": file_id})
        guarded("", "", lambda: file.FetchMetadata(fields=FIELDS))
        return dict(file.metadata)

    def find(self, query: str) -> list[dict[str, Any]]:
        """Every file that answers to `query`, page by page (100 quota units each). It may lag."""
        listing = self._drive.ListFile({"q": query, "fields": f"items({FIELDS}),nextPageToken"})
        return [dict(file.metadata) for file in guarded("", "", listing.GetList)]

    def create_folder(self, file_id: str, title: str, parent: str) -> dict[str, Any]:
        """A folder under an id of our own, so that a lost answer cannot make a second one."""
        file = self._drive.CreateFile(
            {"id": file_id, "title": title, "parents": [{"id": parent}], "mimeType": FOLDER_TYPE}
        )
        insert = file._FilesInsert  # noqa: SLF001  # Upload() takes an id to mean "update"
        guarded("", "", lambda: insert({"fields": FIELDS}))
        return dict(file.metadata)

    def delete(self, file_id: str) -> None:
        """For good, without the trash."""
        guarded("", "", self._drive.CreateFile({"id": file_id}).Delete)

    def about(self) -> dict[str, Any]:
        """The account and its quota."""
        return dict(guarded("", "", self._drive.GetAbout))

    def close(self) -> None:
        """Close every thread's connections."""
        self._adapter.close()


def quoted(text: str) -> str:
    """`text` inside quotes for a query: PyDrive2 does not escape quotes and backslashes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
