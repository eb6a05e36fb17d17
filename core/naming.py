"""Every name and path of the format on the store, made and parsed here and nowhere else.

Names are legal on Windows, macOS, Linux and Drive: lower-case ASCII letters, digits, "-", "_" and "."; never a path that escapes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from datetime import datetime

from batonpass.core.errors import FormatError

ROOT_FILE = "batonpass.json"
AGENT_FOLDER = "agent/"
ACCOUNTS_FOLDER = "accounts/"
RUNS_FOLDER = "runs/"

_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))}
_FILE_PART = re.compile(
    r"[^\s.\x00-\x1f\x7f-\x9f<>:\"/\\|?*\u2028-\u202e\u2066-\u2069\ud800-\udfff][^\x00-\x1f\x7f-\x9f<>:\"/\\|?*\u2028-\u202e\u2066-\u2069\ud800-\udfff]{0,199}"
)
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def slugify(text: str, *, limit: int = 40) -> str:
    """A file name made of any text: ASCII, lower case, never empty, never reserved on Windows.

    >>> slugify("Cats & dogs / v2")
    'cats-dogs-v2'
    >>> slugify("../..")
    'run'

    Letters that have no ASCII form are stood for by a hash, so that two names in another script stay two names.

    >>> slugify("котики v2"), slugify("собаки v2")
    ('v2-05677f', 'v2-a3eb16')
    """
    plain = unicodedata.normalize("NFKD", text).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")
    if any(letter.isalnum() and not letter.isascii() for letter in plain):
        digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        return f"{slug[: limit - 7].strip('-') or 'run'}-{digest}"
    slug = slug[:limit].strip("-")
    return f"{slug}-run" if slug in _RESERVED else slug or "run"


def label_file_name(label: str) -> str:
    """A file name for an account's label: readable, and different for labels that only look alike.

    >>> label_file_name("school")
    'school-d64debd9.json'
    """
    digest = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{slugify(label)}-{digest}.json"


def new_run_id() -> str:
    """Eight random hexadecimal digits."""
    return secrets.token_hex(4)


def new_root_id() -> str:
    """Twelve random hexadecimal digits."""
    return secrets.token_hex(6)


def new_session_id(now: datetime) -> str:
    """Sorts by start time and never repeats: "20261123t075438-1f2e3d"."""
    return f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"


def check_part(part: str) -> str:
    """One path part that came from a store; FormatError if it could lead anywhere else."""
    if not _SAFE_PART.fullmatch(part) or ".." in part or part.split(".", maxsplit=1)[0].lower() in _RESERVED:
        raise FormatError(f"not a name of the format: {part!r}", hint="the file may be damaged or not ours")
    return part


def check_key(key: str) -> str:
    """A whole key that came from a store; FormatError if it leaves the root."""
    for part in key.split("/"):
        check_part(part)
    return key


def check_inside(key: str, folder: str) -> str:
    """A key that came from a store and names something directly in `folder` (ending in "/"); FormatError if it is anywhere else."""
    if not key.startswith(folder) or "/" in key.removeprefix(folder):
        raise FormatError(f"not a name in {folder}: {key!r}", hint="the file may be damaged or not ours")
    return check_key(key)


def check_file_name(name: str) -> str:
    """The name of a file inside a checkpoint: a relative POSIX path of parts that every system can hold. Wider than a key, because
    other trainers choose their own ("epoch=3-step=500.ckpt", "my model.pt"). FormatError if it could lead anywhere else.
    """
    for part in name.split("/"):
        base = part.split(".", maxsplit=1)[0].lower().rstrip()
        if not _FILE_PART.fullmatch(part) or part[-1] in ". " or part == ".." or base in _RESERVED:
            raise FormatError(
                f"not a file name that every system can hold: {name!r}",
                hint="rename the file, or the store may be damaged",
            )
    return name


def check_prefix(prefix: str) -> str:
    """A folder to list: "" or a legal key followed by "/"; FormatError otherwise."""
    if prefix:
        check_key(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise FormatError(f"not a folder of the format: {prefix!r}", hint='a folder ends in "/"')
    return prefix


def run_folder(slug: str, run_id: str) -> str:
    """The folder of a run, ending in "/"."""
    return f"{RUNS_FOLDER}{check_part(slug)}-{check_part(run_id)}/"


def parse_run_folder(name: str) -> tuple[str, str] | None:
    """(slug, run id) of a folder directly under `runs/`, or None if it is not one of ours."""
    match = re.fullmatch(r"([a-z0-9][a-z0-9-]*)-([0-9a-f]{8})", name)
    return (match[1], match[2]) if match else None


def run_id_of(folder: str) -> str:
    """The id in a run's folder. FormatError for any other folder."""
    parsed = parse_run_folder(folder.removeprefix(RUNS_FOLDER).rstrip("/"))
    if parsed is None:
        raise FormatError(f"not a run's folder: {folder!r}")
    return parsed[1]


def run_file(folder: str) -> str:
    """Key of `run.json`."""
    return f"{folder}run.json"


def head_file(folder: str) -> str:
    """Key of `head.json`."""
    return f"{folder}head.json"


def annotations_file(folder: str) -> str:
    """Key of `annotations.json`."""
    return f"{folder}annotations.json"


def notes_folder(folder: str) -> str:
    """Folder of a run's notes, one file each."""
    return f"{folder}notes/"


def session_file(folder: str, session: str) -> str:
    """Key of a session's file."""
    return f"{folder}sessions/{check_part(session)}.json"


def segment_file(folder: str, session: str, number: int) -> str:
    """Key of a sealed metric segment."""
    return f"{metrics_folder(folder)}{check_part(session)}-{number}.parquet"


def checkpoint_name(step: int, session: str, attempt: int) -> str:
    """Name of a checkpoint, on the store and on the local disk."""
    return f"{step}-{check_part(session)}-{attempt}"


def checkpoints_folder(folder: str) -> str:
    """Folder of the manifests."""
    return f"{folder}checkpoints/"


def metrics_folder(folder: str) -> str:
    """Folder of the sealed metric segments."""
    return f"{folder}metrics/"


def manifest_file(folder: str, step: int, session: str, attempt: int) -> str:
    """Key of a checkpoint's manifest."""
    return f"{checkpoints_folder(folder)}{checkpoint_name(step, session, attempt)}.json"


def pool_name(step: int, name: str, sha256: str, *, is_packed: bool = False) -> str:
    """Name of a file in the content-addressed pool, made of the step it first appeared at, its own name and the hash of what lies there.

    >>> pool_name(100, "model.safetensors", "ab" * 32)
    '100-model-abababab.safetensors'
    >>> pool_name(100, "model.safetensors", "cd" * 32, is_packed=True)
    '100-model-cdcdcdcd.safetensors.zst'
    """
    flat = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "file"
    stem, dot, extension = flat.rpartition(".")
    if not dot:
        stem, extension = flat, "bin"
    return f"{step}-{stem[:80]}-{sha256[:8]}.{extension[:20]}{'.zst' if is_packed else ''}"


def pool_file(folder: str, pool: str) -> str:
    """Key of a file in the pool."""
    return f"{folder}files/{check_part(pool)}"


def receipts_folder(folder: str) -> str:
    """Folder of what readers have seen arrive, one file per reader."""
    return f"{folder}receipts/"


def receipt_file(folder: str, reader: str) -> str:
    """Key of what one reader has proven."""
    return f"{receipts_folder(folder)}{check_part(reader)}.json"


def deletions_folder(folder: str) -> str:
    """Folder of what is asked to be removed, one file per writer."""
    return f"{folder}deletions/"


def deletions_file(folder: str, writer: str) -> str:
    """Key of what one app, or one session, asks to remove."""
    return f"{deletions_folder(folder)}{check_part(writer)}.json"


def account_file(label: str) -> str:
    """Key of an account's file."""
    return f"{ACCOUNTS_FOLDER}{label_file_name(label)}"


def account_notes_folder(label: str) -> str:
    """Folder of an account's notes, one file each."""
    return f"{ACCOUNTS_FOLDER}{label_file_name(label).removesuffix('.json')}/"
