"""Drive's words about a file, read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from batonpass.core.errors import NotFoundError
from batonpass.core.storage import ObjectInfo

Resource = dict[str, Any]
"""A file as Drive v2 describes it, in the fields of `pydrive.FIELDS`."""


def info_of(key: str, resource: Resource) -> ObjectInfo:
    """What a store says about the file that `key` stands for."""
    return ObjectInfo(
        key,
        int(resource.get("fileSize", 0)),
        version_of(resource),
        datetime.fromisoformat(resource["modifiedDate"]).astimezone(UTC),
        id=str(resource["id"]),
        md5=resource.get("md5Checksum"),
        sha256=resource.get("sha256Checksum"),
        owner=_owner(resource),
    )


def version_of(resource: Resource) -> str:
    """What changes with the content and only with it: the head's revision. The etag also changes when somebody looks at a file."""
    return str(resource.get("headRevisionId") or resource["etag"])


def _owner(resource: Resource) -> str | None:
    """Who pays for the bytes. On a shared drive files have no owner but the drive."""
    if resource.get("driveId"):
        return "the shared drive"
    owners = resource.get("owners") or [{}]
    name = owners[0].get("displayName")
    return str(name) if name else None


def check_object(key: str, resource: Resource) -> Resource:
    """The file, if it is one of the key's name and not in the trash; NotFoundError otherwise."""
    if resource["labels"]["trashed"]:
        raise NotFoundError(
            f"{key} lies in the trash of that Drive", hint="restore it there, or empty the trash there yourself"
        )
    if resource["title"] != key.rpartition("/")[2] or "fileSize" not in resource:
        raise NotFoundError(f"the id given for {key} is another file's")
    return resource
