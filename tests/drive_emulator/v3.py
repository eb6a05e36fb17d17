"""Drive v3 over the same files: the words of v2 put into those of v3, and back. v3 knows no If-Match: the last write wins."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "id": "id",
    "title": "name",
    "mimeType": "mimeType",
    "createdDate": "createdTime",
    "modifiedDate": "modifiedTime",
    "version": "version",
    "ownedByMe": "ownedByMe",
    "shared": "shared",
    "fileSize": "size",
    "quotaBytesUsed": "quotaBytesUsed",
    "md5Checksum": "md5Checksum",
    "sha256Checksum": "sha256Checksum",
    "headRevisionId": "headRevisionId",
}


def from_v2(tree: dict[str, Any]) -> dict[str, Any]:
    """A file's resource of v2 as v3 writes it."""
    out = {new: tree[old] for old, new in _NAMES.items() if old in tree}
    return out | {
        "kind": "drive#file",
        "trashed": tree["labels"]["trashed"],
        "explicitlyTrashed": tree["labels"]["trashed"],
        "starred": False,
        "parents": [p["id"] for p in tree["parents"]],
        "properties": {p["key"]: p["value"] for p in tree["properties"]},
        "owners": [{**o, "me": o["isAuthenticatedUser"]} for o in tree["owners"]],
    }


def to_v2(body: dict[str, Any]) -> dict[str, Any]:
    """A request's metadata in v3 as the storage wants it."""
    words = {new: old for old, new in _NAMES.items()}
    out = {words.get(name, name): value for name, value in body.items()}
    if "parents" in body:
        out["parents"] = [{"id": p} for p in body["parents"]]
    if "properties" in body:
        out["properties"] = [{"key": k, "value": v, "visibility": "PUBLIC"} for k, v in body["properties"].items()]
    return out


def about(tree: dict[str, Any]) -> dict[str, Any]:
    """`about` of v2 as v3 writes it."""
    return {
        "kind": "drive#about",
        "user": {**tree["user"], "me": True},
        "storageQuota": {
            "limit": tree["quotaBytesTotal"],
            "usage": tree["quotaBytesUsedAggregate"],
            "usageInDrive": tree["quotaBytesUsed"],
            "usageInDriveTrash": tree["quotaBytesUsedInTrash"],
        },
        "importFormats": {},
        "exportFormats": {},
    }
