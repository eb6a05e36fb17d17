"""Takes another trainer's checkpoint out of its reach: linked or copied into our own folder, hashed, and whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.core.files import Hasher, durable_rename, make_folders, read_chunks, sync_file, sync_folder
from batonpass.core.manifest_file import encode_manifest
from batonpass.core.model import FileEntry, Manifest
from batonpass.sync.foreign import what_is_missing
from batonpass.sync.local import MANIFEST
from batonpass.sync.settled import Candidate, FileMark, mark_file
from batonpass.sync.structure import why_not_whole


class NotTakenError(BatonpassError):
    """This checkpoint is not taken: it changed, vanished, or is not whole."""


@dataclass(frozen=True, slots=True)
class Held:
    """One candidate's files in a folder of ours, and which of them are shared with the trainer by a hard link."""

    directory: Path
    entries: tuple[FileEntry, ...]
    missing: tuple[str, ...]
    linked: tuple[FileMark, ...]

    def is_intact(self) -> bool:
        """No linked file was written to in place. One that the trainer removed is ours alone now."""
        try:
            return all(mark_file(self.directory / mark.name, mark.name) == mark for mark in self.linked)
        except OSError:
            return False


def take_snapshot(
    candidate: Candidate,
    root: Path,
    into: Path,
    *,
    link: bool,
    read: Callable[[Path], None] = lambda _path: None,
) -> Held:
    """Bring a settled candidate out of its trainer's reach, into a new folder below `into`.

    With `link` files are linked where the file system can (for names that are written once), else copied. Hashes are of the very
    bytes that are kept. NotTakenError when anything changed since the candidate was seen, or it is not whole. `read` is called
    after each file was read (for tests that write meanwhile).
    """
    held = into / uuid.uuid4().hex[:12]
    whole = False
    try:
        entries, linked = [], []
        for mark in candidate.marks:
            entry, is_link = _take_file(root / naming.check_file_name(mark.name), mark, held, link=link)
            entries.append(entry)
            linked += [mark] if is_link else []
            read(root / mark.name)
        _check_unchanged(candidate, root)
        if reason := why_not_whole(held / candidate.name):
            raise NotTakenError(f"{candidate.name} is not whole: {reason}")
        missing = what_is_missing(held / candidate.name, [entry.name for entry in entries])
        whole = True
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotTakenError(f"{candidate.name} vanished while it was read") from error
    finally:
        if not whole:
            shutil.rmtree(held, ignore_errors=True)
    return Held(held, tuple(entries), missing, tuple(linked))


def commit_held(into: Path, draft: Manifest, parts: Iterable[Held], *, kind: str = "watched") -> tuple[Path, Manifest]:
    """A checkpoint of all that is held, committed below `into`: the output folder as it stands. Returns its folder and manifest."""
    partial = into / f".taking-{uuid.uuid4().hex[:8]}"
    entries: list[FileEntry] = []
    missing: dict[str, None] = {}
    try:
        for part in parts:
            for entry in part.entries:
                target = partial / entry.name
                make_folders(target.parent)
                if not _link(part.directory / entry.name, target):
                    shutil.copyfile(part.directory / entry.name, target)
            entries += part.entries
            missing |= dict.fromkeys(part.missing)
        manifest = replace(draft, files=tuple(entries), missing=tuple(missing), kind=kind)
        (partial / MANIFEST).write_bytes(encode_manifest(manifest))
        sync_folder(partial)
        target = into / naming.checkpoint_name(manifest.step, manifest.session, manifest.attempt)
        durable_rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target, manifest


def _check_unchanged(candidate: Candidate, root: Path) -> None:
    for mark in candidate.marks:
        if mark_file(root / mark.name, mark.name) != mark:
            raise NotTakenError(f"{candidate.name} changed while it was read")


def _take_file(source: Path, mark: FileMark, partial: Path, *, link: bool) -> tuple[FileEntry, bool]:
    target = partial / mark.name
    make_folders(target.parent)
    is_link = link and _link(source, target)
    hasher = Hasher(md5=False)
    if is_link:
        with target.open("rb") as file:
            for chunk in read_chunks(file):
                hasher.update(chunk)
    else:
        with source.open("rb") as file, target.open("wb") as out:
            for chunk in read_chunks(file):
                hasher.update(chunk)
                out.write(chunk)
            sync_file(out)
    digest = hasher.digest()
    if digest.size_bytes != mark.size_bytes:
        raise NotTakenError(f"{mark.name} changed while it was read")
    return FileEntry(mark.name, "", digest.size_bytes, digest.sha256, digest.md5), is_link


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False  # another file system, or one without links: copied instead
    return True
