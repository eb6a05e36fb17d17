"""Calls about files: insert, get, list, patch, update, trash, delete, permissions, about, generateIds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drive_emulator.accounts import Grant
from drive_emulator.answers import Answer, as_json
from drive_emulator.exchange import Exchange
from drive_emulator.fields import select
from drive_emulator.query import Query
from drive_emulator.revisions import bytes_used
from drive_emulator.storage import FOLDER, SHARED_DRIVE, File, Storage, is_shared_drive
from drive_emulator.v3 import about as about_v3
from drive_emulator.v3 import from_v2


def resource(storage: Storage, grant: Grant, file: File, base_url: str) -> dict[str, Any]:
    """The file as Drive v2 writes it."""
    owner = storage.accounts.account(file.owner)
    root = storage.account_of(grant).root_id
    tree: dict[str, Any] = {
        "kind": "drive#file",
        "id": file.id,
        "etag": file.etag,
        "title": file.title,
        "mimeType": file.mime_type,
        "labels": {"trashed": storage.is_trashed(file), "starred": False},
        "createdDate": write_time(file.created),
        "modifiedDate": write_time(file.modified),
        "version": str(file.version),
        "parents": [{"kind": "drive#parentReference", "id": p, "isRoot": p == root} for p in file.parents],
        "properties": file.properties,
        "owners": [_user(owner.name, owner.email, owner.permission_id, is_me=file.owner == grant.account)],
        "ownedByMe": file.owner == grant.account,
        "shared": bool(file.permissions),
        "selfLink": f"{base_url}drive/v2/files/{file.id}",
    }
    if is_shared_drive(file.owner):
        del tree["owners"]
        tree |= {"ownedByMe": False, "driveId": file.owner.removeprefix(SHARED_DRIVE)}
    if file.blob is not None:
        tree |= {
            "fileSize": str(file.blob.size),
            "quotaBytesUsed": str(bytes_used(file)),
            "md5Checksum": file.blob.md5,
            "sha256Checksum": file.blob.sha256,
            "headRevisionId": file.revisions[-1].id,
            "downloadUrl": f"{base_url}drive/v2/files/{file.id}?alt=media&source=downloadUrl",
        }
    return tree


def in_its_words(exchange: Exchange, storage: Storage, grant: Grant, file: File) -> dict[str, Any]:
    """The file as the version of the API that was asked writes it."""
    tree = resource(storage, grant, file, exchange.base_url)
    return from_v2(tree) if exchange.version == 3 else tree


def write_time(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show(exchange: Exchange, storage: Storage, grant: Grant, file: File) -> Answer:
    tree = in_its_words(exchange, storage, grant, file)
    return as_json(select(tree, exchange.query.get("fields")), ETag=file.etag)


def insert(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    body = exchange.metadata()
    with storage.lock:
        return show(exchange, storage, grant, storage.insert(grant, body, None))


def get(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        return show(exchange, storage, grant, storage.find(grant, exchange.part(3)))


def change(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    body = exchange.metadata()
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        storage.check_match(file, exchange.if_match)
        return show(exchange, storage, grant, storage.change(grant, file, body, None))


def set_trash(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        storage.check_writer(grant, file)
        file.trashed = exchange.part(4) == "trash"
        storage.touch(file)
        return show(exchange, storage, grant, file)


def delete(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        storage.check_match(file, exchange.if_match)
        storage.delete(grant, file)
    return Answer(204)


def find_all(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        query = Query(exchange.query.get("q", ""), lambda name: storage.folder_id(grant, name))
        found = [f for f in storage.files.values() if storage.sees(grant, f)]
        if exchange.query.get("includeItemsFromAllDrives") != "true":
            found = [f for f in found if not is_shared_drive(f.owner)]
        found = [f for f in found if query.matches(_with_trash(storage, f)) and storage.lists(f)]
        found.sort(key=lambda f: f.created, reverse=True)
        for part in reversed([p for p in exchange.query.get("orderBy", "").split(",") if p]):
            name, _, direction = part.strip().partition(" ")
            key = {"createdDate": "created", "modifiedDate": "modified", "title": "title"}[name]
            found.sort(key=lambda f, key=key: getattr(f, key), reverse=direction == "desc")  # type: ignore[misc]
        wanted = exchange.query.get("pageSize" if exchange.version == 3 else "maxResults", "100")
        count = min(int(wanted), storage.page_limit)
        start = int(exchange.query.get("pageToken") or "0")
        items = [in_its_words(exchange, storage, grant, f) for f in found[start : start + count]]
    tree: dict[str, Any] = {"kind": "drive#fileList", "files" if exchange.version == 3 else "items": items}
    if start + count < len(found):
        tree["nextPageToken"] = str(start + count)
    return as_json(select(tree, exchange.query.get("fields")))


def generate_ids(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        ids = storage.new_ids(min(int(exchange.query.get("maxResults", "10")), 1000))
    return as_json({"kind": "drive#generatedIds", "space": "drive", "ids": ids})


def about(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        account = storage.account_of(grant)
        tree = {
            "kind": "drive#about",
            "name": account.name,
            "user": _user(account.name, account.email, account.permission_id, is_me=True),
            "rootFolderId": account.root_id,
            "permissionId": account.permission_id,
            "quotaType": "LIMITED",
            "quotaBytesTotal": str(account.quota_bytes),
            "quotaBytesUsed": str(storage.used(grant.account)),
            "quotaBytesUsedAggregate": str(storage.used(grant.account) + account.other_bytes),
            "quotaBytesUsedInTrash": str(storage.used(grant.account, in_trash=True)),
        }
    tree = about_v3(tree) if exchange.version == 3 else tree
    return as_json(select(tree, exchange.query.get("fields")))


def add_permission(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    body = exchange.json()
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        storage.check_writer(grant, file)
        file.permissions[body["value"]] = body["role"]
        person = storage.accounts.account(body["value"])
    return as_json({"kind": "drive#permission", "id": person.permission_id, "role": body["role"], "type": "user"})


def permissions(exchange: Exchange, storage: Storage, grant: Grant) -> Answer:
    with storage.lock:
        file = storage.find(grant, exchange.part(3))
        roles = {file.owner: "owner", **file.permissions}
        people = [(storage.accounts.account(email), role) for email, role in roles.items()]
    items = [{"kind": "drive#permission", "id": p.permission_id, "role": role, "type": "user"} for p, role in people]
    return as_json({"kind": "drive#permissionList", "items": items})


def _with_trash(storage: Storage, file: File) -> File:
    """The file as a query sees it: what lies in a trashed folder counts as trashed."""
    if file.trashed or not storage.is_trashed(file):
        return file
    seen = File(**vars(file))
    seen.trashed = True
    return seen


def _user(name: str, email: str, permission_id: str, *, is_me: bool) -> dict[str, Any]:
    return {
        "kind": "drive#user",
        "displayName": name,
        "emailAddress": email,
        "permissionId": permission_id,
        "isAuthenticatedUser": is_me,
    }


__all__ = ["FOLDER", "about", "change", "delete", "find_all", "generate_ids", "get", "in_its_words", "insert", "show"]
