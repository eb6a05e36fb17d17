"""Writes big folder stores for the app's benches and tests: many runs with many metrics, or one run of many sessions. Seeded, all of it
invented, in the files of the format. The same arguments give the same bytes.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import describe_segment, encode_segment
from batonpass.core.metrics.tail import encode_tail
from batonpass.core.model import (
    CheckpointListing,
    Gpu,
    Head,
    Host,
    MetricTail,
    ResumeRecord,
    Root,
    RunInfo,
    Segment,
    Session,
)

GIB = 1024**3
GPUS = (("Tesla T4", 15 * GIB, "7.5"), ("NVIDIA L4", 22 * GIB, "8.9"), ("Tesla P100-PCIE-16GB", 16 * GIB, "6.0"))
ACCOUNTS = (("personal", "colab"), ("school", "colab"), ("personal", "kaggle"), ("lab PC", "other"))


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. `sessions` in each run; `points` of each metric sealed by each session, `tail_points` after that."""

    runs: int = 1
    sessions: int = 1
    metrics: int = 1
    points: int = 0
    tail_points: int = 0


def write_store(root: Path, size: Size, *, now: datetime | None = None, live: bool = False, seed: int = 1) -> list[str]:
    """The store under `root`; returns the run ids, newest first. With `live` the newest run's last session has no end to its beats."""
    moment = now or datetime.now(UTC)
    put(root, naming.ROOT_FILE, encode(Root("b16b16b16b16", moment - timedelta(days=400), "bench")), moment)
    shared = _Shared(size, random.Random(seed))
    ids = []
    for number in range(size.runs):
        run_id = f"{0x10000000 + number:08x}"
        last_beat = moment - timedelta(seconds=20 if live and number == 0 else 7200 + 3600 * number)
        _RunOf(root, shared, run_id, number, last_beat).write()
        ids.append(run_id)
    return ids


def metric_names(count: int) -> list[str]:
    """`count` names as people give them, "loss" first.

    >>> metric_names(3)
    ['loss', 'layer/001/grad_norm', 'layer/002/grad_norm']
    """
    return ["loss", *(f"layer/{n:03d}/grad_norm" for n in range(1, count))][:count]


class _Shared:
    """What all sessions of all runs have in common, made once: a session's rows differ only by where they begin."""

    def __init__(self, size: Size, rng: random.Random) -> None:
        self.size = size
        self.rng = rng
        self.names = metric_names(size.metrics)
        self.made: dict[int, tuple[bytes, Segment | None, MetricTail]] = {}

    def metrics(self, leg: int, began_unix_s: float) -> tuple[bytes, Segment | None, MetricTail]:
        """The body of the sealed segment, its description without a key, and the tail of the session number `leg` of a run."""
        if leg not in self.made:
            rows = list(self._rows(leg, began_unix_s))
            sealed = rows[: self.size.points * len(self.names)]
            body = encode_segment(sealed) if sealed else b""
            segment = describe_segment("", sealed, body) if sealed else None
            self.made[leg] = body, segment, encode_tail(rows[len(sealed) :])
        return self.made[leg]

    def _rows(self, leg: int, began_unix_s: float) -> Iterator[Row]:
        every = self.size.points + self.size.tail_points
        row = 0
        for k in range(every):
            step = leg * every + k + 1
            for place, name in enumerate(self.names):
                value = (1 + place % 7) * math.exp(-step / (2000 + 10 * place)) + self.rng.gauss(0, 0.02)
                yield Row(row, step, step / 500, began_unix_s + k, name, round(value, 6))
                row += 1


@dataclass(frozen=True, slots=True)
class _RunOf:
    """Writes one run; its last session beat last at `last_beat`."""

    root: Path
    shared: _Shared
    run_id: str
    number: int
    last_beat: datetime

    def write(self) -> None:
        """All of its files."""
        name = f"experiment {self.number:04d}"
        folder = naming.run_folder(naming.slugify(name), self.run_id)
        size = self.shared.size
        length = timedelta(hours=2)
        sessions: list[Session] = []
        for leg in range(size.sessions):
            ended = self.last_beat - (length + timedelta(minutes=40)) * (size.sessions - 1 - leg)
            session = self._session(folder, leg, ended - length, ended, sessions[-1] if sessions else None)
            sessions.append(session)
            put(self.root, naming.session_file(folder, session.id), encode(session), ended)
        began = sessions[0].started_at
        steps = size.sessions * max(1, size.points + size.tail_points)
        info = RunInfo(self.run_id, name, naming.slugify(name), began, sessions[0].id, 2 * steps, {"lr": 0.001})
        put(self.root, naming.run_file(folder), encode(info), began)
        head = Head(len(sessions), sessions[-1].id, "bench", tuple(s.id for s in sessions))
        put(self.root, naming.head_file(folder), encode(head), sessions[-1].started_at)

    def _session(self, folder: str, leg: int, began: datetime, ended: datetime, before: Session | None) -> Session:
        body, described, tail = self.shared.metrics(leg, began.timestamp())
        session_id = f"{began:%Y%m%dt%H%M%S}-{leg:06x}"
        segments: tuple[Segment, ...] = ()
        if described is not None:
            segment = replace(described, key=naming.segment_file(folder, session_id, 0))
            put(self.root, segment.key, body, ended)
            segments = (segment,)
        size = self.shared.size
        steps = max(1, size.points + size.tail_points)
        rows = (size.points + size.tail_points) * size.metrics
        account, provider = ACCOUNTS[(self.number + leg) % len(ACCOUNTS)]
        gpu, memory_bytes, capability = GPUS[(self.number + leg) % len(GPUS)]
        session = Session(
            id=session_id,
            run_id=self.run_id,
            term=leg + 1,
            account=account,
            host=Host(provider, f"machine-{self.run_id}-{leg}", f"{leg}-1"),
            started_at=began,
            heartbeat_at=ended,
            step=(leg + 1) * steps,
            epoch=(leg + 1) * steps / 500,
            trained_s=7000.0,
            steps_done=steps,
            gpus=(Gpu(gpu, memory_bytes, capability, "580.95", f"gpu-{leg}", usable=True),),
            versions={"python": "3.13.5", "torch": "2.11.0"},
            rows=rows,
            segments=segments,
            tail=tail,
        )
        if before is not None:
            listing = before.checkpoints[-1]
            session = replace(
                session, resumed_from=ResumeRecord(before.id, listing.key, listing.step, listing.metric_rows, "EXACT")
            )
        return replace(session, checkpoints=(listing_of(folder, session),))


def listing_of(folder: str, session: Session) -> CheckpointListing:
    """A durable checkpoint of 250 MB at the session's last step."""
    return CheckpointListing(
        key=naming.manifest_file(folder, session.step, session.id, 1),
        step=session.step,
        attempt=1,
        epoch=session.epoch,
        created_at=session.heartbeat_at,
        published_at=session.heartbeat_at,
        size_bytes=250_000_000,
        manifest_sha256="0" * 64,
        metric_rows=session.rows,
        trained_s=session.trained_s,
        proven=True,
        metrics={"loss": 0.5},
        owner="you",
    )


def put(root: Path, key: str, body: bytes, at: datetime) -> None:
    """A file of the store, as if it had been written at that moment."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (at.timestamp(), at.timestamp()))
