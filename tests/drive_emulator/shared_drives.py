"""Shared drives: files there belong to the drive, which pays for them; only an organizer deletes for good; clients must ask for them."""

from __future__ import annotations

import secrets
import time

from drive_emulator.answers import not_found
from drive_emulator.exchange import Exchange
from drive_emulator.storage import FOLDER, SHARED_DRIVE, File, Storage, is_shared_drive


def make(storage: Storage, members: dict[str, str], quota_bytes: int) -> str:
    """A new shared drive; its id is that of its root folder too. Roles: organizer, fileOrganizer, writer, reader."""
    drive_id = "0A" + secrets.token_urlsafe(12)
    owner = SHARED_DRIVE + drive_id
    storage.accounts.account(owner).quota_bytes = quota_bytes
    now = storage.now()
    storage.files[drive_id] = File(
        drive_id, "Team", FOLDER, [], owner, "the browser", now, now, time.monotonic(), permissions=dict(members)
    )
    return drive_id


def check_asked(exchange: Exchange, storage: Storage) -> None:
    """To a client that does not say supportsAllDrives, what lies on a shared drive does not exist. Google's description of the API has
    no such word for revisions, in no version: they need none.
    """
    if exchange.query.get("supportsAllDrives") == "true" or "revisions" in exchange.parts:
        return
    file = next((storage.files[part] for part in exchange.parts if part in storage.files), None)
    if file is not None and is_shared_drive(file.owner):
        raise not_found(file.id)
