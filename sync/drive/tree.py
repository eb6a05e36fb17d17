"""Keys and the folders and files of a Drive that they stand for.

Names are not unique there: a key may stand for several files ("twins"), and a path for several folders. The oldest is the one that
counts, then the one with the smaller id; what lies in younger twins of a folder is found all the same. What was found once is
remembered by id, so that nothing is listed on the hot path. What this client made itself and a listing omits is asked for by its id.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator

from batonpass.core.errors import ConflictError, NotFoundError
from batonpass.sync.drive.ids import Ids
from batonpass.sync.drive.pydrive import FOLDER_TYPE, PyDrive, quoted
from batonpass.sync.drive.resources import Resource


class Tree:
    """`root` is a folder's name in My Drive, or "id:<folder id>". Nothing is created but by `make_folder`."""

    def __init__(self, drive: PyDrive, ids: Ids, root: str) -> None:
        self._drive = drive
        self._ids = ids
        self._root = root
        self._files: dict[str, str] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._unlisted: dict[str, str] = {}
        self._made: dict[str, str] = {}
        self._root_id: str | None = None
        self._lock = threading.Lock()
        self._making = threading.RLock()

    def known(self, key: str) -> str | None:
        """The id that this key is known by."""
        with self._lock:
            return self._files.get(key)

    def remember(self, key: str, file_id: str) -> None:
        """From now on this key is addressed by this id."""
        with self._lock:
            self._files[key] = file_id

    def created(self, key: str, file_id: str) -> None:
        """This client made it: until a listing shows it, a listing without it is completed."""
        with self._lock:
            self._files[key] = self._unlisted[key] = file_id

    def forget(self, key: str) -> None:
        """This key's id, and its folders' ids, no longer hold."""
        with self._lock:
            self._files.pop(key, None)
            self._unlisted.pop(key, None)
            self._folders = {
                p: ids for p, ids in self._folders.items() if not f"{key}/".startswith(f"{p}/" if p else p)
            }

    def find(self, key: str) -> list[Resource]:
        """Every file that this key stands for, the one that counts first (a listing: it may lag)."""
        folder, _, title = key.rpartition("/")
        found = self._find_in(self.folder(folder), title)
        if not found:  # another writer's twin of a folder may have come since
            fresh = self.folder(folder, fresh=True)
            found = self._find_in(fresh, title)
        found = self._with_known(key, found)
        if found:
            self.remember(key, str(found[0]["id"]))
        return found

    def folder(self, path: str, *, fresh: bool = False) -> tuple[str, ...]:
        """The ids of the folders at `path` ("" is the root), the one that counts first; empty where there is none."""
        with self._lock:
            known = self._folders.get(path)
        if known and not fresh:
            return known
        if not path:
            found = self._find_root()
        else:
            above, _, title = path.rpartition("/")
            found = self._child_folders(self.folder(above, fresh=fresh), title)
        ids = tuple(str(r["id"]) for r in self._with_made(path, found))
        with self._lock:
            if ids:
                self._folders[path] = ids
                self._root_id = self._root_id if path else ids[0]
            else:
                self._folders.pop(path, None)
        return ids

    def make_folder(self, path: str) -> str:
        """The id of the folder at `path`, created with those above it where there is none.

        NotFoundError where the root was there before and no longer is: another root would scatter a run over two places.
        """
        ids = self.folder(path)
        if ids:
            return ids[0]
        with self._making:  # two threads of one process must not make twins
            ids = self.folder(path)
            if not ids and not path and self._root_id is not None:
                return self._same_root(self._root_id)
            if not ids:
                above, _, title = path.rpartition("/")
                parent = self.make_folder(above) if path else "root"
                ids = (self._create(path, title if path else self._root, parent),)
                with self._lock:
                    self._folders[path], self._made[path] = ids, ids[0]
                    self._root_id = self._root_id if path else ids[0]
        return ids[0]

    def _same_root(self, root_id: str) -> str:
        """The root that was used so far, although a listing does not show it."""
        try:
            if not self._drive.get(root_id)["labels"]["trashed"]:
                return root_id
        except NotFoundError:
            pass
        raise NotFoundError(
            "the folder of this store is no longer there, or this sign-in cannot see it",
            hint="was it removed, or does the token belong to another account? Put it back, then it goes on by itself",
        )

    def holds(self, key: str, resource: Resource) -> bool:
        """Whether this file is what the key stands for: its name, in its folder. An id that came from a file is untrusted."""
        folder, _, title = key.rpartition("/")
        if resource.get("title") != title or resource.get("mimeType") == FOLDER_TYPE:
            return False
        parents = {p["id"] for p in resource.get("parents", [])}
        return bool(parents & set(self.folder(folder))) or bool(parents & set(self.folder(folder, fresh=True)))

    def children(self, folder_ids: Iterable[str]) -> list[Resource]:
        """Everything directly in these folders, oldest first."""
        found = [r for i in folder_ids for r in self._query(f"{quoted(i)} in parents")]
        return sorted(found, key=age)

    def unlisted(self, path: str, listed: Collection[str]) -> Iterator[tuple[str, Resource]]:
        """What this client made under `path` ("" is the root) and a listing, whose keys are `listed`, does not show yet."""
        inside = f"{path}/" if path else ""
        with self._lock:
            self._unlisted = {key: i for key, i in self._unlisted.items() if key not in listed}
            missing = [(key, i) for key, i in self._unlisted.items() if key.startswith(inside)]
        for key, file_id in missing:
            resource = self._there(file_id)
            if resource is not None and self.holds(key, resource):
                yield key, resource
            else:
                self.forget(key)

    def unlisted_folders(self, path: str, listed: Collection[str]) -> list[str]:
        """The same for the names of the folders directly under `path`."""
        with self._lock:
            made = [p.rpartition("/") for p in self._made if p]
        names = [name for above, _, name in made if above == path and name not in listed]
        return [name for name in names if self.folder(f"{path}/{name}" if path else name, fresh=True)]

    def _with_known(self, key: str, found: list[Resource]) -> list[Resource]:
        """The listing, completed by the file that this key is known by."""
        known = self.known(key)
        if known is None or known in [r["id"] for r in found]:
            return found
        resource = self._there(known)
        if resource is None or not self.holds(key, resource):
            self.forget(key)
            return found
        return sorted([*found, resource], key=age)

    def _with_made(self, path: str, found: list[Resource]) -> list[Resource]:
        """The listing, completed by the folder that this client made."""
        with self._lock:
            made = self._made.get(path)
        if made is None or made in [r["id"] for r in found]:
            return found
        resource = self._there(made)
        if resource is None:
            with self._lock:
                self._made.pop(path, None)
            return found
        return sorted([*found, resource], key=age)

    def _there(self, file_id: str) -> Resource | None:
        """A file or folder by its id; None where it is gone or in the trash."""
        try:
            resource = self._drive.get(file_id)
        except NotFoundError:
            return None
        return None if resource["labels"]["trashed"] else resource

    def _find_in(self, folder_ids: Iterable[str], title: str) -> list[Resource]:
        # one query per folder: "(A in parents) or (B in parents)" sometimes finds nothing on the real Drive
        found = [r for i in folder_ids for r in self._query(f"{quoted(i)} in parents and title = {quoted(title)}")]
        exact = [r for r in found if r["title"] == title and r["mimeType"] != FOLDER_TYPE]
        return sorted(exact, key=age)

    def _child_folders(self, folder_ids: Iterable[str], title: str) -> list[Resource]:
        wanted = f"title = {quoted(title)} and mimeType = {quoted(FOLDER_TYPE)}"
        found = [r for i in folder_ids for r in self._query(f"{quoted(i)} in parents and {wanted}")]
        return [r for r in sorted(found, key=age) if r["title"] == title]

    def _find_root(self) -> list[Resource]:
        if not self._root.startswith("id:"):
            return self._child_folders(["root"], self._root)
        resource = self._drive.get(self._root.removeprefix("id:"))
        if resource["mimeType"] != FOLDER_TYPE or resource["labels"]["trashed"]:
            raise NotFoundError("the root's id is not that of a folder outside the trash", hint="check the store's URL")
        return [resource]

    def _query(self, condition: str) -> list[Resource]:
        return self._drive.find(f"{condition} and trashed = false")

    def _create(self, path: str, title: str, parent: str) -> str:
        """Create a folder; an id that is already taken means that an earlier answer was lost."""
        name = f"{path}/"
        file_id = self._ids.reserve(name)
        try:
            self._drive.create_folder(file_id, title, parent)
        except ConflictError:
            if self._drive.get(file_id)["title"] != title:
                raise
        self._ids.settle(name)
        return file_id


def age(resource: Resource) -> tuple[str, str]:
    """Sorts twins: the one that counts is the oldest, then the one with the smaller id."""
    return str(resource["createdDate"]), str(resource["id"])
