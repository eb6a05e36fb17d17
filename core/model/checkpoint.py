"""A checkpoint: files and the manifest that describes every byte of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from batonpass.core.files import Digest
from batonpass.core.model.run import FORMAT, PACKED_FORMAT


@dataclass(frozen=True, slots=True)
class Packed:
    """What lies on the store in place of a plain file: the same bytes, smaller. Hashes and size are those of the packed bytes."""

    encoding: str
    """How to get the plain bytes back, as `core.shuffle` names it."""
    size_bytes: int
    sha256: str
    md5: str = ""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a checkpoint. Its bytes lie in the pool of the run, under a name made of their hash."""

    name: str
    """Relative POSIX path inside the checkpoint, as "model.safetensors"."""
    pool: str
    """Name inside `files/`; empty until the mirror has given it one."""
    size_bytes: int
    sha256: str
    md5: str
    """Empty where nobody needed it: the mirror adds it for stores that may answer with nothing else."""
    id: str | None = None
    owner: str | None = None
    """Who owns (and pays for) these bytes, where the store says so: another account's where an equal file was there already."""
    packed: Packed | None = None
    """What the pool holds in place of the plain bytes, whose size and hashes stand above; None where it holds them as they are."""

    @property
    def stored(self) -> Digest:
        """Size and hashes of what lies in the pool: what the store is asked about."""
        of = self.packed or self
        return Digest(of.size_bytes, of.sha256, of.md5)


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor: which file, its name in it, dtype as safetensors writes it ("F32"), shape, and a hash of its bytes.

    The file's sha256 is the proof; `xxh3` (XXH3, 128 bits, as hexadecimal digits) only tells one tensor's content from another's.
    """

    file: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str = ""
    """In checkpoints of the first versions, which had no `xxh3`."""
    xxh3: str = ""


ADOPTED = "adopted"
"""`Manifest.kind` of what was a file before it was a run."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`checkpoints/<step>-<session>-<attempt>.json`, written after all its files."""

    run_id: str
    session: str
    attempt: int
    step: int
    epoch: float
    created_at: datetime
    files: tuple[FileEntry, ...]
    term: int = 0
    parent: str | None = None
    """Key of the checkpoint before it in the lineage."""
    metric_rows: int = 0
    """Rows the session had logged when the state was captured; later rows are not part of it."""
    trained_s: float = 0.0
    """`Session.trained_s` when the state was captured, in seconds."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The newest value of each metric at that moment."""
    tensors: tuple[TensorEntry, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    """The position in the data; `core.training` writes and reads it."""
    missing: tuple[str, ...] = ()
    """What could not be stored, one sentence each. Not empty makes the checkpoint PARTIAL."""
    kind: str = "training"
    """"training" (our own plain files), "watched" or "adopted" (another program's files, byte for byte; `attach` reads adopted ones)."""
    seal: str = ""
    """The file's own hash (`core.manifest_file`); empty in manifests of the first versions."""
    format: int = FORMAT

    NEWEST_FORMAT: ClassVar[int] = PACKED_FORMAT

    @property
    def size_bytes(self) -> int:
        """Sum of its plain files, in bytes."""
        return sum(f.size_bytes for f in self.files)

    @property
    def stored_size_bytes(self) -> int:
        """Sum of what the pool holds of them, in bytes."""
        return sum(f.stored.size_bytes for f in self.files)


@dataclass(frozen=True, slots=True)
class CheckpointListing:
    """A published checkpoint, as its session's file lists it."""

    key: str
    """Key of the manifest, relative to the root."""
    step: int
    attempt: int
    epoch: float
    created_at: datetime
    published_at: datetime
    size_bytes: int
    """What its files take on the store."""
    manifest_sha256: str
    metric_rows: int
    trained_s: float
    proven: bool
    """The store's own answer equalled the manifest for every file (verified). False on a mount: handed over."""
    missing: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    parent: str | None = None
    id: str | None = None
    """The store's id of the manifest, where there are ids."""
    owner: str | None = None
    """Who owns (and pays for) the bytes, where the store says so."""
    plain_size_bytes: int | None = None
    """What its files take when they have been unpacked; None where they are not packed."""
