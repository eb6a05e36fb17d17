"""The child process that is plain PyDrive2: its own upload and download with oauth2client's credentials, and nothing of ours.

Only the address of its service is another. Lines of JSON in and out, as session.py.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httplib2
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from oauth2client.client import OAuth2Credentials
from pydrive2.auth import GoogleAuth
from pydrive2.drive import GoogleDrive
from pydrive2.files import ApiRequestError

TRIES = 20


def connect(url: str, grant: dict[str, str]) -> GoogleDrive:
    """PyDrive2 as it comes."""
    until = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    auth = GoogleAuth(settings_file=None, http_timeout=60)
    auth.credentials = OAuth2Credentials(
        grant["access_token"], "another", "secret", grant["refresh_token"], until, f"{url}token", ""
    )
    document = json.loads(get_static_doc("drive", "v2"))
    document |= {"rootUrl": url, "baseUrl": url + document["servicePath"]}
    auth.service = build_from_document(document, http=auth.credentials.authorize(httplib2.Http(timeout=60)))
    return GoogleDrive(auth)


class Commands:
    """What the parent may ask for."""

    def __init__(self, drive: GoogleDrive) -> None:
        self._drive = drive
        self._file: Any = None

    def send(self, path: str) -> dict[str, Any]:
        """Upload one file."""
        started = time.perf_counter()
        self._file = self._drive.CreateFile({"title": Path(path).name})
        self._file.SetContentFile(path)
        self._file.Upload()
        return {"sent_s": time.perf_counter() - started}

    def fetch(self, path: str) -> dict[str, Any]:
        """Download it again."""
        started = time.perf_counter()
        self._file.GetContentFile(path)
        return {"fetched_s": time.perf_counter() - started}

    def send_all(self, folder: str) -> dict[str, Any]:
        """Upload a folder's files. PyDrive2 itself gives up at the first refusal; here each file is tried again after a second."""
        started = time.perf_counter()
        refused = sum(self._send_again(str(path)) for path in sorted(Path(folder).iterdir()))
        return {"sent_s": time.perf_counter() - started, "refused": refused}

    def _send_again(self, path: str) -> int:
        """Until it is taken; how often it was not."""
        for tries in range(TRIES):
            try:
                self.send(path)
            except ApiRequestError:
                time.sleep(1)
            else:
                return tries
        raise RuntimeError(f"not taken after {TRIES} tries")


def main() -> None:
    """Serve the parent."""
    commands = Commands(connect(os.environ["PYDRIVE_URL"], json.loads(os.environ["PYDRIVE_GRANT"])))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(getattr(commands, asked.pop("do"))(**asked)), flush=True)


if __name__ == "__main__":
    main()
