"""Looks at a store and its sign-in, and says what is wrong and what to do. Changes nothing that lasts."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.core.amounts import percent
from batonpass.core.clock import utc_now
from batonpass.core.errors import BatonpassError, NotFoundError
from batonpass.core.files import TEMP_PREFIX
from batonpass.core.owners import bytes_by_owner
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.mounts import conflicts, find_mount
from batonpass.sync.reading import list_run_folders, read_root, read_run
from batonpass.sync.stores import open_store
from batonpass.sync.stores.folder import FolderStore

if TYPE_CHECKING:
    from batonpass.sync.stores.gdrive import GDriveStore

_PACKAGES = ("batonpass", "apscheduler", "pydrive2", "google-api-python-client", "google-auth", "requests", "torch")
_LOW_SHARE = 0.9
_CLOCK_S = 300.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `hint` is the next thing to do where `ok` is False, and may be empty where it is True."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def diagnose(store_url: str, settings: Settings) -> list[Check]:
    """What can be said about this store from here. Never raises a BatonpassError: what goes wrong is a check that is not ok."""
    checks = [Check("versions", ok=True, detail=_versions())]
    try:
        store = open_store(store_url, settings)
    except BatonpassError as error:
        return [*checks, _failed("store", error)]
    try:
        checks += _check_kind(store, settings)
        checks += _checked("root", lambda: _root(store))
        if store.properties.proves_arrival and checks[-1].ok:
            checks += _owners(store)
    finally:
        store.close()
    return checks


def _check_kind(store: Store, settings: Settings) -> Iterator[Check]:
    """What is particular to this kind of store."""
    if isinstance(store, FolderStore):
        yield from _check_folder(store.root, settings)
    elif store.url.startswith("gdrive://"):
        from batonpass.sync.stores.gdrive import GDriveStore  # noqa: PLC0415  # loads Google's libraries

        assert isinstance(store, GDriveStore)
        yield from _check_drive(store)


def _check_drive(store: GDriveStore) -> Iterator[Check]:
    credential = store.credential
    fresh = list(_checked("sign-in", lambda: _sign_in(credential.kind, credential.ensure_fresh)))
    yield from fresh
    if not all(check.ok for check in fresh):
        return
    yield Check("client id", ok=True, detail=credential.client_id or f"given by {credential.kind}")
    yield _scope(credential.scopes, credential.kind)
    try:
        about = store.about()
    except BatonpassError as error:
        yield _failed("account", error)
        return
    yield Check("owner", ok=True, detail=f"{about['user']['displayName']} owns and pays for what is written from here")
    yield _quota(about)
    yield from _checked("clock", lambda: _clock(store))


def _sign_in(kind: str, refresh: Callable[[], None]) -> Check:
    refresh()
    return Check("sign-in", ok=True, detail=f"{kind}, accepted by Google")


def _scope(scopes: frozenset[str], kind: str) -> Check:
    short = ", ".join(sorted(s.rpartition("/")[2] for s in scopes)) or "not told"
    if kind == "service account":
        return Check("scope", ok=True, detail=f"{short}: reaches what was shared with this service account")
    if any(s.endswith("/auth/drive") for s in scopes):
        return Check("scope", ok=True, detail=f"{short}: reaches every file of that Drive; drive.file would be enough")
    return Check("scope", ok=True, detail=f"{short}: sees only what this OAuth client made")


def _quota(about: dict[str, Any]) -> Check:
    used, trash = int(about.get("quotaBytesUsedAggregate", 0)), int(about.get("quotaBytesUsedInTrash", 0))
    total = int(about.get("quotaBytesTotal", 0))
    if about.get("quotaType") == "UNLIMITED":
        return Check("space", ok=True, detail=f"{_gb(used)} used, no limit; {_trash(trash, used)}")
    detail = f"{_gb(used)} of {_gb(total)} used, {_trash(trash, used)}"
    if total == 0:
        return Check("space", ok=False, detail=detail, hint="this account has no space of its own; sign in as a person")
    hint = "empty that Drive's trash yourself, or make room" if used > _LOW_SHARE * total else ""
    return Check("space", ok=not hint, detail=detail, hint=hint)


def _trash(trash: int, used: int) -> str:
    return f"{_gb(trash)} of it in the trash ({percent(trash / used if used else 0)})"


def _clock(store: Store) -> Check:
    difference_s = (store.now() - utc_now()).total_seconds()
    wrong = abs(difference_s) > _CLOCK_S
    hint = "set this computer's clock: signing in fails when it is far off" if wrong else ""
    return Check("clock", ok=not wrong, detail=f"{difference_s:+.0f} s between here and the store", hint=hint)


def _check_folder(root: Path, settings: Settings) -> Iterator[Check]:
    mount = find_mount(root, settings.mount_points)
    if mount is not None:
        live = list(_checked("mount", lambda: _mount_is_live(mount.point, mount.require_live)))
        yield from live
        if not all(check.ok for check in live):
            return
        yield from _two_writers(root)
    there = next((p for p in (root, *root.parents) if p.is_dir()), root)
    yield _writable(there, root)
    free = shutil.disk_usage(there).free
    hint = "make room on that disk" if free < 1 << 30 else ""
    yield Check("space", ok=not hint, detail=f"{_gb(free)} free", hint=hint)


def _mount_is_live(point: Path, require_live: Callable[[], None]) -> Check:
    require_live()
    return Check("mount", ok=True, detail=f"{point} is there; whether bytes have arrived only another reader can prove")


def _two_writers(root: Path) -> Iterator[Check]:
    """Copies that the syncing program made because two machines wrote one file: somebody's change lies in them."""
    folders = [root, *sorted(p for p in (root / "runs").glob("*/**/") if p.is_dir())]
    found = [
        f"{folder.relative_to(root) / name}" for folder in folders if folder.is_dir() for name in conflicts(folder)
    ]
    if found:
        hint = "two machines wrote the same file: compare each copy with its original, then remove the copy"
        yield Check("conflicts", ok=False, detail=", ".join(found[:10]), hint=hint)


def _writable(there: Path, root: Path) -> Check:
    """Really writes, because permissions do not tell about full or read-only disks."""
    probe = there / f"{TEMP_PREFIX}{secrets.token_hex(4)}"
    try:
        probe.write_bytes(b"batonpass doctor")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Check("writable", ok=False, detail=f"{there}: {reason}", hint="choose another folder, or its rights")
    return Check("writable", ok=True, detail=str(root) if there == root else f"{root} can be created in {there}")


def _root(store: Store) -> Check:
    try:
        root = read_root(store)
    except NotFoundError:
        return Check("root", ok=True, detail=f"{store.url} holds nothing of Batonpass yet")
    return Check(
        "root", ok=True, detail=f"{store.url} is a root of Batonpass (id {root.root_id}, format {root.format})"
    )


def _owners(store: Store) -> Iterator[Check]:
    """Who pays for what the runs' session files list; nothing where the store names nobody."""
    totals: dict[str, int] = {}
    try:
        for folder in list_run_folders(store):
            for owner, n in bytes_by_owner(s.session for s in read_run(store, folder).sessions).items():
                totals[owner] = totals.get(owner, 0) + n
    except BatonpassError as error:
        yield _failed("checkpoints", error)
        return
    if totals:
        shares = ", ".join(f"{owner} {_gb(n)}" for owner, n in sorted(totals.items(), key=lambda pair: -pair[1]))
        yield Check("checkpoints", ok=True, detail=f"owned and paid for by {shares}")


def _checked(name: str, look: Callable[[], Check]) -> Iterator[Check]:
    try:
        yield look()
    except BatonpassError as error:
        yield _failed(name, error)


def _failed(name: str, error: BatonpassError) -> Check:
    return Check(name, ok=False, detail=error.message, hint=error.hint)


def _versions() -> str:
    found = [f"Python {sys.version.split()[0]} on {sys.platform}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
