"""One session's own file, `sessions/<id>.json`. It has one writer: the process that holds this machine's lock on the session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from batonpass.core.model.checkpoint import CheckpointListing
from batonpass.core.model.machine import Gpu, GpuSample, Host
from batonpass.core.model.run import FORMAT


class EndKind(StrEnum):
    """How a session ended, as its own machine saw it. A session whose machine vanished has no end at all."""

    FINISHED = "finished"
    """`run.finish()` with the goal reached or `done=True`."""
    CLOSED = "closed"
    """`run.finish()` below the goal, or the run was started again in the same kernel."""
    STOPPED = "stopped by you"
    """The stop button or Ctrl-C inside a loop body."""
    FAILED = "failed with an error"
    RESTARTED = "kernel restarted"
    """Written by the next process on the same machine, which found the training process gone."""


@dataclass(frozen=True, slots=True)
class End:
    """How a session ended. `detail` is one line (an exception's type and message), untrusted text."""

    kind: EndKind
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed, immutable Parquet file of metric rows `first_row <= row < end_row`."""

    key: str
    first_row: int
    end_row: int
    size_bytes: int
    sha256: str
    md5: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class MetricTail:
    """The rows that are in no sealed segment yet: `names` is a dictionary, each row is
    [row, step, epoch, unix time in s, index into names, value]; a value that JSON has no number for is "NaN", "Infinity" or "-Infinity".
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[int, int, float, float, int, float | str], ...] = ()


@dataclass(frozen=True, slots=True)
class ResumeRecord:
    """Where this session continued from, written before the first byte of it was read."""

    session: str
    """The session whose checkpoint it is."""
    checkpoint: str
    """Key of its manifest; empty where a watcher went on after another one before there was any checkpoint."""
    step: int
    metric_rows: int
    """Rows of `session` from this number on are superseded by the resumed session."""
    label: str = ""
    """"EXACT", "SAME DATA" or "PARTIAL"; empty until the restore has finished."""
    missing: tuple[str, ...] = ()
    """What keeps the label from being EXACT, one sentence each."""
    skipped: tuple[str, ...] = ()
    """Newer checkpoints that were passed over, and why, one sentence each."""
    reason: str = ""
    """In one sentence, why work is run again; empty when nothing is."""
    chosen: bool = False
    """The user asked for this very checkpoint: a deliberate rewind, or a branch taken up."""


@dataclass(frozen=True, slots=True)
class ResumeProof:
    """What was computed again after a resume, compared with what had been recorded before it: the next batch, and the values logged
    in the steps that were run again, as exact floats. Words for it: `core.resumption`.
    """

    data: str = ""
    """"same": the next batch held the samples that it would have held; "other"; empty where that is not known (yet)."""
    steps: int = 0
    """Steps whose logged values were compared; 0 while none could be."""
    first_step: int = 0
    last_step: int = 0
    metric: str = ""
    """The metric that is quoted: of the first compared step, or the first one that differs. Untrusted text."""
    value: float | str = 0.0
    """Its value as run again; what JSON has no number for is "NaN", "Infinity" or "-Infinity"."""
    before: float | str = 0.0
    """Its value as first recorded."""
    differs_at: int | None = None
    """The first step whose values are not the same floats; None when all are."""
    note: str = ""
    """Why nothing could be compared, one clause."""


@dataclass(frozen=True, slots=True)
class Session:
    """One notebook runtime's leg of a run."""

    id: str
    run_id: str
    term: int
    account: str
    """The label the user typed; untrusted text."""
    host: Host
    started_at: datetime
    heartbeat_at: datetime
    """This machine's clock. Readers reckon ages by the store's clock: `SessionFile.heard_at`."""
    heard_at: datetime | None = None
    """Only in a copy of a session that had not said its end: when the store it was copied from last heard of it."""
    beat: int = 0
    """Grows with each update of this file."""
    alive: bool = True
    """The training process lived at the last heartbeat."""
    branch: str | None = None
    """Why this session does not hold the run ("began offline", "from scratch", "lost to <session>"); None while it holds it."""
    step: int = 0
    """The last finished step."""
    epoch: float = 0.0
    trained_s: float = 0.0
    """Time spent inside the loop since this session began, in seconds."""
    steps_done: int = 0
    """Steps this session itself has finished."""
    save_every_s: float | None = None
    gpus: tuple[Gpu, ...] = ()
    gpu_samples: tuple[GpuSample, ...] = ()
    """The newest readings, thinned to at most 240."""
    versions: dict[str, str] = field(default_factory=dict)
    """Package -> version of what matters for an exact resume (python, torch, cuda, cudnn, numpy, batonpass)."""
    resumed_from: ResumeRecord | None = None
    resume_proof: ResumeProof | None = None
    """What running again has shown; None before the first comparison, and where nothing was resumed."""
    end: End | None = None
    checkpoints: tuple[CheckpointListing, ...] = ()
    """Published, oldest first."""
    quarantined: tuple[str, ...] = ()
    """Keys of manifests that this session found corrupt, in whoever's name they stand."""
    rows: int = 0
    """Metric rows logged so far."""
    rewinds: tuple[tuple[int, int], ...] = ()
    """Each time this very session went back to a checkpoint (its loop's cell was run again): (`rows` at that moment, rows that the
    checkpoint held). Rows from the second number up to the first were run again."""
    segments: tuple[Segment, ...] = ()
    tail: MetricTail = MetricTail()
    sync: dict[str, Any] = field(default_factory=dict)
    """What the service says of itself: lane states, last error with hint, bytes waiting."""
    format: int = FORMAT
