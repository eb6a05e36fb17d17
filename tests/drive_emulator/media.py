"""Content that leaves: whole, or a range of it."""

from __future__ import annotations

import re

from drive_emulator import revisions
from drive_emulator.accounts import Grant
from drive_emulator.answers import Answer, DriveError
from drive_emulator.exchange import Exchange
from drive_emulator.storage import Storage


def download(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        revision_id = exchange.query.get("revisionId")
        blob = revisions.content_of(file, revision_id) if revision_id else file.blob
        if blob is None:
            raise DriveError(403, "fileNotDownloadable", "Only files with binary content can be downloaded.")
        content = blob.path.open("rb")  # under the lock: a replaced file stays readable for who is reading it
    headers = {"Content-Type": file.mime_type, "ETag": file.etag, "Accept-Ranges": "bytes"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.headers.get("Range") or "")
    if wanted is None:
        return Answer(200, headers, file=content, end=blob.size)
    start = int(wanted[1])
    end = min(int(wanted[2]) + 1, blob.size) if wanted[2] else blob.size
    if start >= blob.size:
        content.close()
        raise DriveError(416, "requestedRangeNotSatisfiable", headers={"Content-Range": f"bytes */{blob.size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    return Answer(206, headers, file=content, start=start, end=end)
