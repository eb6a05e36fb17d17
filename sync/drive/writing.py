"""How an object gets onto Drive: which call a `put` becomes, and what its answer, or the lack of one, means.

Every create carries an id that Drive gave out before, so a lost answer becomes "409, already there" at the next try and never a twin.
Compare-and-swap is in `swapping.py`; Drive has none for creation, so a creator looks again and the one that does not count takes back its own.
"""

from __future__ import annotations

import threading

from batonpass.core.errors import ConflictError, NotFoundError, StoreError, StoreUnreachableError
from batonpass.core.storage import ABSENT, ObjectInfo, Transfer
from batonpass.sync.drive.http import DriveHttp
from batonpass.sync.drive.ids import Ids
from batonpass.sync.drive.payload import Payload
from batonpass.sync.drive.pydrive import PyDrive
from batonpass.sync.drive.resources import Resource, check_object, info_of
from batonpass.sync.drive.swapping import Swapper
from batonpass.sync.drive.tree import Tree, age
from batonpass.sync.drive.upload import Target, upload

_TYPE = "application/octet-stream"


class Writer:
    """The writing half of a Drive store."""

    def __init__(self, http: DriveHttp, drive: PyDrive, ids: Ids, tree: Tree) -> None:
        self._http = http
        self._drive = drive
        self._ids = ids
        self._tree = tree
        self._swapper = Swapper(http, drive)
        self._doubts: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def put(
        self, key: str, payload: Payload, *, expect: str | None, store_id: str | None, transfer: Transfer
    ) -> ObjectInfo:
        """As `Store.put`. Raises StoreErrors and what the libraries raise."""
        if expect not in (None, ABSENT):
            return self._swap(key, payload, expect, store_id, transfer)
        there = self._there(key, store_id) if expect is None else None
        if there is not None:
            try:
                resource = upload(self._http, Target({}, there), payload, transfer)
            except NotFoundError:  # deleted by somebody: what is not there is created
                self._tree.forget(key)
            else:
                return self._accept(key, resource)
        return self._create(key, payload, store_id, transfer, only_new=expect == ABSENT)

    def _there(self, key: str, store_id: str | None) -> str | None:
        """The id of the object to replace, or None where there is none yet. An id from outside is tried as a new one first."""
        known = self._tree.known(key)
        if store_id is not None:
            return known if known == store_id else None
        return known or next((str(r["id"]) for r in self._tree.find(key)), None)

    def _create(
        self, key: str, payload: Payload, store_id: str | None, transfer: Transfer, *, only_new: bool
    ) -> ObjectInfo:
        file_id = store_id or self._ids.reserve(key)
        if only_new:
            first = next(iter(self._tree.find(key)), None)
            if first is not None and (first["id"] != file_id or not payload.equals(first)):
                raise ConflictError(f"{key} is already there", hint="read it, then decide")
        create = (key, "create", file_id)
        before = self._made_before(key, payload, file_id) if self._in_doubt(create, doubted=False) else None
        try:
            resource = before or upload(self._http, self._new(key, file_id), payload, transfer)
        except StoreUnreachableError:
            self._in_doubt(create, doubted=True)
            raise
        except ConflictError:
            resource = self._recognise(key, payload, file_id, transfer, only_new=only_new)
        except NotFoundError:
            self._tree.forget(key)  # a folder above it is gone
            raise
        self._ids.settle(key)
        self._tree.created(key, file_id)
        info = self._accept(key, resource)
        if only_new:
            self._yield_to_older(key, resource)
        return info

    def _made_before(self, key: str, payload: Payload, file_id: str) -> Resource | None:
        """What a create whose answer was lost has made: asking costs 5 quota units, sending a body again costs the body."""
        try:
            resource = self._drive.get(file_id)
        except (NotFoundError, StoreUnreachableError):
            return None  # then the create itself is repeated, and tells
        return resource if self._tree.holds(key, resource) and payload.equals(resource) else None

    def _new(self, key: str, file_id: str) -> Target:
        folder, _, title = key.rpartition("/")
        parents = [{"id": self._tree.make_folder(folder)}]
        return Target({"id": file_id, "title": title, "mimeType": _TYPE, "parents": parents})

    def _recognise(self, key: str, payload: Payload, file_id: str, transfer: Transfer, *, only_new: bool) -> Resource:
        """The id is taken: by these very bytes, because an answer was lost, or by older bytes of this key."""
        resource = self._drive.get(file_id)
        if not self._tree.holds(key, resource):
            raise StoreError(f"the id for {key} belongs to another file", hint="the record it came from may be damaged")
        if payload.equals(resource):
            return resource
        if only_new:
            raise ConflictError(f"{key} is already there", hint="read it, then decide")
        return upload(self._http, Target({}, file_id), payload, transfer)

    def _yield_to_older(self, key: str, mine: Resource) -> None:
        """Two creators at once: the one that does not count takes back what it made. `mine` may be missing in the listing."""
        older = [r for r in self._tree.find(key) if age(r) < age(mine)]
        self._tree.remember(key, str((older or [mine])[0]["id"]))
        if older:
            self._drive.delete(str(mine["id"]))
            raise ConflictError(f"{key} was created by somebody else at the same time", hint="read it, then decide")

    def _swap(self, key: str, payload: Payload, expect: str, store_id: str | None, transfer: Transfer) -> ObjectInfo:
        """Replace exactly the version `expect`."""
        file_id = store_id or self._tree.known(key) or next((str(r["id"]) for r in self._tree.find(key)), None)
        if file_id is None:
            raise ConflictError(f"{key} is not there", hint="read it again, then decide")
        try:
            resource = self._swapper.swap(key, payload, expect, file_id, transfer)
        except NotFoundError:
            self._tree.forget(key)
            raise ConflictError(f"{key} is no longer there", hint="read it again, then decide") from None
        return self._accept(key, resource)

    def _in_doubt(self, write: tuple[str, str, str], *, doubted: bool) -> bool:
        """Whether the last answer to this very create was lost; from now on it is `doubted`."""
        with self._lock:
            before = write in self._doubts
            (self._doubts.add if doubted else self._doubts.discard)(write)
        return before

    def read(self, file_id: str) -> bytes | None:
        """The content of a small file where that is not simply what the head holds; None otherwise."""
        return self._swapper.read(file_id)

    def saw(self, resource: Resource) -> None:
        """What Drive says about a file now: a swap that expects this version needs no question."""
        self._swapper.saw(resource)

    def _accept(self, key: str, resource: Resource) -> ObjectInfo:
        """Take what Drive says about a written object. NotFoundError, every time, while the user has it in the trash."""
        self._tree.remember(key, str(resource["id"]))
        self.saw(resource)
        return info_of(key, check_object(key, resource))
