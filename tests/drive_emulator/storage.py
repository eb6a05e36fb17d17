"""Files and folders: ids, names that are not unique, parents, trash, versions, who sees what, what it costs."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drive_emulator import revisions
from drive_emulator.accounts import Account, Accounts, Grant
from drive_emulator.answers import DriveError, not_found
from drive_emulator.temper import Moods

FOLDER = "application/vnd.google-apps.folder"
SHARED_DRIVE = "shared-drive:"


def is_shared_drive(owner: str) -> bool:
    """Whether this owner of files is a shared drive, no person."""
    return owner.startswith(SHARED_DRIVE)


@dataclass
class Blob:
    path: Path
    size: int
    md5: str
    sha256: str


class Hashes:
    """Of content while it arrives, so that a large file is answered for as soon as its last byte is there."""

    def __init__(self) -> None:
        self.md5, self.sha256 = hashlib.md5(), hashlib.sha256()
        self.at = 0

    def take(self, start: int, block: bytes) -> None:
        """Bytes that were written at `start`. What does not follow on the last ones makes these hashes worthless."""
        if start != self.at:
            self.at = -1
            return
        self.md5.update(block)
        self.sha256.update(block)
        self.at += len(block)


@dataclass
class File:
    id: str
    title: str
    mime_type: str
    parents: list[str]
    owner: str
    client_id: str
    created: datetime
    modified: datetime
    listed_from: float
    properties: list[dict[str, Any]] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    trashed: bool = False
    version: int = 1
    blob: Blob | None = None
    revisions: list[revisions.Revision] = field(default_factory=list)
    unlisted: int = 0
    drifts_at: float | None = None
    """When the etag changes once more (time.monotonic), although nobody writes."""

    @property
    def etag(self) -> str:
        drifted = self.drifts_at is not None and time.monotonic() >= self.drifts_at
        return f'"{self.id[-6:]}/{self.version}{".1" if drifted else ""}"'


class Storage:
    """All that the emulator knows. Hold `lock` while reading or changing it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.accounts = Accounts()
        self.files: dict[str, File] = {}
        self.ids: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="drive-emulator-")
        self._last_created: dict[str, datetime] = {}
        self.list_lag_s = 0.0
        self.page_limit = 1000
        self.clock_skew_s = 0.0
        self.creates_per_s = 0.0
        self.moods = Moods()
        self._creates: dict[str, tuple[float, float]] = {}

    def close(self) -> None:
        self._folder.cleanup()

    def now(self) -> datetime:
        """The server's clock, which a test can set wrong."""
        return datetime.fromtimestamp(time.time() + self.clock_skew_s, UTC)

    def new_ids(self, count: int) -> list[str]:
        ids = ["1" + secrets.token_urlsafe(24) for _ in range(count)]
        self.ids.update(ids)
        return ids

    def new_blob_path(self) -> Path:
        return Path(self._folder.name) / secrets.token_hex(8)

    def seal(self, path: Path, hashes: Hashes) -> Blob:
        """The blob of a finished file in `new_blob_path`; it is read where `hashes` are not those of all of it."""
        if hashes.at != path.stat().st_size:
            hashes = Hashes()
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    hashes.take(hashes.at, block)
        return Blob(path, path.stat().st_size, hashes.md5.hexdigest(), hashes.sha256.hexdigest())

    def account_of(self, grant: Grant) -> Account:
        return self.accounts.account(grant.account)

    def folder_id(self, grant: Grant, name: str) -> str | None:
        root = self.account_of(grant).root_id
        if name in ("root", root):
            return root
        return name if name in self.files and self.sees(grant, self.files[name]) else None

    def sees(self, grant: Grant, file: File) -> bool:
        if grant.sees_only_its_own() and file.client_id != grant.client_id:
            return False
        if grant.sees_only_its_own() and not self.moods.temper.shares_reach_the_client and file.owner != grant.account:
            return False
        return self.role(grant.account, file) is not None

    def role(self, account: str, file: File) -> str | None:
        """What the account may do: own it, or what a permission on the file or a folder above it says."""
        if file.owner == account:
            return "owner"
        if account in file.permissions:
            return file.permissions[account]
        above = [self.files[p] for p in file.parents if p in self.files]
        return next((role for role in (self.role(account, f) for f in above) if role), None)

    def find(self, grant: Grant, file_id: str) -> File:
        file = self.files.get(file_id)
        if file is None or not self.sees(grant, file):
            raise not_found(file_id)
        return file

    def is_trashed(self, file: File) -> bool:
        return file.trashed or any(self.is_trashed(self.files[p]) for p in file.parents if p in self.files)

    def check_new(self, grant: Grant, body: dict[str, Any]) -> None:
        """What insert checks before it takes any content."""
        file_id = body.get("id")
        if file_id in self.files:
            raise DriveError(409, "fileIdInUse", "A file already exists with the provided ID.")
        if file_id is not None and file_id not in self.ids:
            raise DriveError(400, "invalid", "The provided file ID is not usable.")
        for parent in body.get("parents", []):
            if self.folder_id(grant, parent["id"]) is None:
                raise not_found(parent["id"])

    def check_match(self, file: File, if_match: str | None) -> None:
        if if_match not in (None, "*", file.etag):
            raise DriveError(412, "conditionNotMet", "Precondition Failed")

    def check_writer(self, grant: Grant, file: File) -> None:
        if self.role(grant.account, file) not in ("owner", "writer", "fileOrganizer", "organizer"):
            raise DriveError(403, "insufficientFilePermissions", "The user does not have sufficient permissions")

    def check_space(self, owner: str, more_bytes: int) -> None:
        account = self.accounts.account(owner)
        if self.used(owner) + account.other_bytes + more_bytes > account.quota_bytes:
            raise DriveError(403, "quotaExceeded", "The user's Drive storage quota has been exceeded.")

    def check_day(self, uploader: str, more_bytes: int = 0) -> None:
        """Above the day's limit content is refused in the words of a rate limit; `more_bytes` have come and are counted."""
        account = self.accounts.account(uploader)
        if account.sent_bytes >= account.daily_bytes:
            raise DriveError(403, "userRateLimitExceeded", "User rate limit exceeded.")
        account.sent_bytes += more_bytes

    def empty_trash(self, owner: str) -> None:
        for file in [f for f in self.files.values() if f.owner == owner and f.trashed]:
            if file.id in self.files:
                self._remove(file)

    def check_pace(self, account: str) -> None:
        """Drive makes some two files a second for one user, whatever the quota units say."""
        if not self.creates_per_s:
            return
        now = time.monotonic()
        tokens, then = self._creates.get(account, (self.creates_per_s, now))
        tokens = min(self.creates_per_s, tokens + (now - then) * self.creates_per_s)
        if tokens < 1:
            raise DriveError(403, "userRateLimitExceeded", "User Rate Limit Exceeded.")
        self._creates[account] = (tokens - 1, now)

    def payer(self, grant: Grant, body: dict[str, Any]) -> str:
        """Who owns a new file and pays for it: who makes it, or the shared drive that it lies in."""
        above = [self.files[p["id"]] for p in body.get("parents", []) if p["id"] in self.files]
        return next((f.owner for f in above if is_shared_drive(f.owner)), grant.account)

    def used(self, owner: str, *, in_trash: bool = False) -> int:
        mine = (f for f in self.files.values() if f.owner == owner)
        return sum(revisions.bytes_used(f) for f in mine if not in_trash or self.is_trashed(f))

    def insert(self, grant: Grant, body: dict[str, Any], blob: Blob | None) -> File:
        self.check_new(grant, body)
        self.check_pace(grant.account)
        owner = self.payer(grant, body)
        self.check_space(owner, blob.size if blob else 0)
        if blob is not None:
            self.check_day(grant.account, blob.size)
        now = self._next_moment(grant.account)
        root = self.account_of(grant).root_id
        parents = [self.folder_id(grant, p["id"]) or root for p in body.get("parents", [])] or [root]
        mime_type = body.get("mimeType") or "application/octet-stream"
        modified = datetime.fromisoformat(body["modifiedDate"]) if "modifiedDate" in body else now
        file_id = body.get("id") or self.new_ids(1)[0]
        file = File(
            file_id, body.get("title", "Untitled"), mime_type, parents, owner, grant.client_id,
            now, modified, time.monotonic() + self.list_lag_s, list(body.get("properties", [])),
        )  # fmt: skip
        if blob is not None:
            revisions.add(file, blob, now, body.get("originalFilename"))
        file.unlisted = self.moods.temper.unlisted
        self.touch(file)
        self.files[file_id] = file
        return file

    def _next_moment(self, account: str) -> datetime:
        """Now, a millisecond after the account's last file at least, so that a test knows which of two is older."""
        now = self.now()
        last = self._last_created.get(account)
        if last is not None and now < last + timedelta(milliseconds=1):
            now = last + timedelta(milliseconds=1)
        self._last_created[account] = now
        return now

    def change(self, grant: Grant, file: File, body: dict[str, Any], blob: Blob | None) -> File:
        self.check_writer(grant, file)
        if blob is not None:
            pinned = bool(file.revisions) and file.revisions[-1].pinned
            self.check_space(file.owner, blob.size - (file.blob.size if file.blob and not pinned else 0))
            self.check_day(grant.account, blob.size)
            revisions.add(file, blob, self.now(), body.get("originalFilename"))
        file.title = body.get("title", file.title)
        file.mime_type = body.get("mimeType", file.mime_type)
        file.properties = list(body.get("properties", file.properties))
        file.trashed = body.get("trashed", file.trashed)
        self.touch(file)
        file.modified = datetime.fromisoformat(body["modifiedDate"]) if "modifiedDate" in body else self.now()
        return file

    def lists(self, file: File) -> bool:
        """Whether a list that asks for this file tells of it already."""
        if file.unlisted > 0:
            file.unlisted -= 1
            return False
        return file.listed_from <= time.monotonic()

    def touch(self, file: File) -> None:
        """Something about the file has changed: its version and its etag do."""
        file.version += 1
        drift_s = self.moods.drift_s()
        file.drifts_at = None if drift_s is None else time.monotonic() + drift_s

    def delete(self, grant: Grant, file: File) -> None:
        if self.role(grant.account, file) not in ("owner", "organizer"):
            raise DriveError(403, "insufficientFilePermissions", "The user does not have sufficient permissions")
        self._remove(file)

    def _remove(self, file: File) -> None:
        """For good, with what lies in it and is its owner's."""
        for child in [f for f in self.files.values() if file.id in f.parents and f.owner == file.owner]:
            self._remove(child)
        for blob in [file.blob, *(r.blob for r in file.revisions)]:
            if blob is not None:
                blob.path.unlink(missing_ok=True)
        self.files.pop(file.id, None)
