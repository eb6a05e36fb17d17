"""What a snippet is made for (the target) and made of (the inputs). All texts may come from a store and are untrusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from batonpass.core import naming
from batonpass.core.errors import UsageError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Target(StrEnum):
    """Where the cells will be pasted."""

    COLAB = "colab"
    """Google Colab, the store reached by the Drive API with a credential from Colab's secrets."""
    COLAB_MOUNT = "colab-mount"
    """Google Colab, the store on the mounted Drive: no credential at all."""
    KAGGLE = "kaggle"
    LOCAL = "local"
    """Jupyter on one's own computer."""
    TORCH = "torch"
    """The newest weights into a model with torch and safetensors only: no library of ours."""
    HF = "hf"
    """A `transformers.Trainer` that goes on through its callback, on any machine that sees the store."""
    LIGHTNING = "lightning"
    """The same for Lightning."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """The target of that name; UsageError names them all."""
        try:
            return cls(text)
        except ValueError:
            names = ", ".join(cls)
            raise UsageError(f"no snippet for {text!r}", hint=f"choose one of {names}") from None


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A wheel in the store's `agent/` folder."""

    name: str
    """File name, as "batonpass-0.1.0-py3-none-any.whl"."""
    sha256: str
    """Of the whole file, lower-case hexadecimal; checked before pip sees the file."""
    id: str | None = None
    """The store's id of the file; needed where the cell fetches it through the Drive API."""

    def __post_init__(self) -> None:
        naming.check_part(self.name)
        if not self.name.endswith(".whl") or not _SHA256.fullmatch(self.sha256):
            raise UsageError(f"not a wheel with its sha256: {self.name!r}", hint="put the agent on the store again")


@dataclass(frozen=True, slots=True)
class CheckpointPick:
    """A checkpoint: the key of its manifest relative to the root, and its step."""

    key: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnippetInputs:
    """What the cells are made of. `wheels[0]` is the agent; the others are what it needs and the target may lack."""

    run_name: str
    run_id: str | None
    """None only for the first day of a new run (`day_one`)."""
    root_id: str | None
    store: str
    """As `bp.start(store=...)` takes it *on the target*: a path, or a URL. Not used by colab-mount."""
    account: str = ""
    """The label of the place the cells are for; empty when the user has not chosen one."""
    goal_steps: int | None = None
    wheels: tuple[WheelFile, ...] = ()
    pick: CheckpointPick | None = None
    """Continue from (or load) exactly this one instead of the newest by lineage."""
    newest_step: int | None = None
    """The newest durable step, for the sentence that says what will be restored; None = there is none yet."""
    gone: str | None = None
    """The session that holds the run and that the user knows to be gone: the start takes the run from it, and from no other."""
    mount_point: str = "/content/drive"
    drive_folder: str = "MyDrive/batonpass"
    """The store's folder below the mount point (colab-mount)."""
    token_file: str | None = None
    """Path of the credential's file on the user's own computer (local, with a store on Drive)."""

    def __post_init__(self) -> None:
        folder = PurePosixPath(self.drive_folder)
        if folder.is_absolute() or ".." in folder.parts:
            raise UsageError(
                f"not a folder below the mount: {self.drive_folder!r}", hint='write it as "MyDrive/batonpass"'
            )

    @property
    def folder(self) -> str | None:
        """The path that `store` names, or None when it is a URL of another kind ("C:" is a drive, not a scheme)."""
        if self.store.lower().startswith("file://"):
            path = unquote(urlsplit(self.store).path)
            return path[1:] if re.match(r"/[A-Za-z]:", path) else path
        return None if _SCHEME.match(self.store) else self.store
