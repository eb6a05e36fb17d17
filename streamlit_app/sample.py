"""Writes the simulated sample: the table of `sample_story` as real files of the format. Seeded, needs no torch, shown as simulated everywhere."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.metrics.replay import compare_again, first_steps
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import describe_segment, encode_segment
from batonpass.core.metrics.tail import encode_tail
from batonpass.core.model import (
    Account,
    Annotations,
    CheckpointListing,
    End,
    FileEntry,
    Gpu,
    GpuSample,
    Head,
    Host,
    Manifest,
    Note,
    ResumeProof,
    ResumeRecord,
    Root,
    RunInfo,
    Segment,
    Session,
)
from batonpass.streamlit_app.sample_story import ACCOUNTS, GPUS, HOSTS, RUNS, VERSIONS, SampleLeg, SampleRun

LOG_EVERY = 20
VALIDATE_EVERY = 1000
TAIL_ROWS = 60

Put = Callable[[str, bytes, datetime], None]
"""Writes one file: key, content, and when the store last saw it change."""


def write_sample(put: Put, *, now: datetime, seed: int = 7) -> None:
    """The whole sample through `put`, as it would stand at `now`. The same seed and moment give the same bytes."""
    began = now - timedelta(days=14)
    put(naming.ROOT_FILE, encode(Root("5a3b1e5a3b1e", began, "simulated sample")), began)
    for label, provider, plan, price, units, text in ACCOUNTS:
        account = Account(label, provider, plan, price, "USD", units, now - timedelta(days=2) if units else None)
        put(naming.account_file(label), encode(account), began)
        note = Note("note-1", began + timedelta(days=3), text)
        put(f"{naming.account_notes_folder(label)}note-1.json", encode(note), note.written_at)
    for number, run in enumerate(RUNS):
        _RunWriter(put, now, run, random.Random(f"{seed}-{number}"), f"{number + 1:x}a5e{number:04x}").write()  # noqa: S311  # simulated numbers, not secrets


@dataclass(slots=True)
class _RunWriter:
    """Writes one run, session by session."""

    put: Put
    now: datetime
    run: SampleRun
    rng: random.Random
    run_id: str
    _logged: dict[str, list[Row]] = field(default_factory=dict)
    """Session id -> its rows."""

    @property
    def folder(self) -> str:
        return naming.run_folder(naming.slugify(self.run.name), self.run_id)

    def write(self) -> None:
        sessions: list[Session] = []
        for leg in self.run.legs:
            session = self._session(leg, sessions)
            sessions.append(session)
            self.put(naming.session_file(self.folder, session.id), encode(session), session.heartbeat_at)
        created = sessions[0].started_at
        info = RunInfo(
            self.run_id,
            self.run.name,
            naming.slugify(self.run.name),
            created,
            sessions[0].id,
            self.run.goal_steps,
            dict(self.run.config),
        )
        self.put(naming.run_file(self.folder), encode(info), created)
        last = [s for s in sessions if s.branch is None][-1]
        holder = last.id if last.end is None else None
        head = Head(last.term, holder, "sample", tuple(s.id for s in sessions))
        self.put(naming.head_file(self.folder), encode(head), last.started_at)
        deadline = self.now + timedelta(hours=self.run.deadline_in_h) if self.run.deadline_in_h else None
        self.put(
            naming.annotations_file(self.folder), encode(Annotations(tags=self.run.tags, deadline=deadline)), created
        )
        for number, text in enumerate(self.run.notes):
            note = Note(f"note-{number + 1}", created + timedelta(days=number + 1), text)
            self.put(f"{naming.notes_folder(self.folder)}{note.id}.json", encode(note), note.written_at)

    def _session(self, leg: SampleLeg, before: list[Session]) -> Session:
        began = self.now - timedelta(hours=leg.began_h)
        ended = began + timedelta(hours=leg.lasted_h) - timedelta(seconds=23)
        session_id = f"{began:%Y%m%dt%H%M%S}-{self.rng.randrange(16**6):06x}"
        rows = list(self._rows(leg, began, ended))
        resumed = _resume(before[leg.resumes]) if leg.resumes is not None else None
        trained_s = 0.97 * (ended - began).total_seconds()
        session = Session(
            id=session_id,
            run_id=self.run_id,
            term=len(before) + 1,
            account=leg.account,
            host=Host(leg.provider, f"machine-{session_id}", f"{1000 + len(before)}-1", *HOSTS[leg.provider]),
            started_at=began,
            heartbeat_at=ended,
            alive=leg.end is None,
            branch=leg.branch,
            step=leg.last_step,
            epoch=leg.last_step / 780,
            trained_s=trained_s,
            steps_done=leg.last_step - leg.first_step,
            save_every_s=300.0,
            gpus=(self._gpu(leg),),
            gpu_samples=tuple(self._gpu_samples(leg, began, ended)),
            versions={**VERSIONS[leg.provider], "batonpass": "0.1.0"},
            resumed_from=resumed,
            resume_proof=_proof(resumed, self._logged[resumed.session], rows) if resumed else None,
            end=End(leg.end, ended, leg.detail) if leg.end else None,
            rows=len(rows),
            tail=encode_tail(rows[-TAIL_ROWS:]),
        )
        self._logged[session_id] = rows
        session = replace(session, segments=self._segments(session, rows[:-TAIL_ROWS]))
        return replace(session, checkpoints=tuple(self._checkpoints(leg, session, rows)))

    def _rows(self, leg: SampleLeg, began: datetime, ended: datetime) -> Iterator[Row]:
        """Loss and learning rate every 20 steps, validation every 1,000: noisy, so that a step run again is a little different."""
        span_s = (ended - began).total_seconds()
        steps = leg.last_step - leg.first_step
        row = 0
        for step in range(leg.first_step + LOG_EVERY, leg.last_step + 1, LOG_EVERY):
            at = began.timestamp() + 40 + (span_s - 60) * (step - leg.first_step) / steps
            for name, value in self._values(leg, step):
                yield Row(row, step, step / 780, at, name, value)
                row += 1

    def _values(self, leg: SampleLeg, step: int) -> Iterator[tuple[str, float]]:
        run = self.run
        progress = step / run.goal_steps
        since = leg.first_step if leg.branch else leg.durable_step
        drift = 1 + leg.drift * max(0.0, (step - since) / (leg.last_step - since)) if leg.drift else 1.0
        trend = drift * (run.floor + (run.start_loss - run.floor) * math.exp(-5 * progress))
        yield "loss", trend * math.exp(self.rng.gauss(0, 0.09))
        yield "learning rate", run.learning_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
        if step % VALIDATE_EVERY == 0:
            yield "validation loss", 1.06 * trend + 0.01 + self.rng.gauss(0, 0.012 * trend)

    def _gpu(self, leg: SampleLeg) -> Gpu:
        gpu = GPUS[leg.gpu]
        return Gpu(
            gpu.name, gpu.memory_bytes, gpu.compute_capability, "580.95", f"{leg.account}-{leg.gpu}", usable=True
        )

    def _gpu_samples(self, leg: SampleLeg, began: datetime, ended: datetime) -> Iterator[GpuSample]:
        gpu = GPUS[leg.gpu]
        for k in range(90):
            at = began + (ended - began) * (k + 1) / 90
            warm = 1 - math.exp(-k / 8)
            yield GpuSample(
                at,
                0,
                round(min(100.0, max(0.0, 88 * warm + self.rng.gauss(4, 4))), 1),
                int(gpu.memory_bytes * (0.55 * warm + 0.06)),
                round(42 + 31 * warm + self.rng.gauss(0, 0.8), 1),
                round(gpu.watts * (0.35 + 0.6 * warm) + self.rng.gauss(0, 2), 1),
            )

    def _segments(self, session: Session, rows: list[Row]) -> tuple[Segment, ...]:
        if not rows:
            return ()
        body = encode_segment(rows)
        key = naming.segment_file(self.folder, session.id, 0)
        self.put(key, body, session.heartbeat_at)
        return (describe_segment(key, rows, body),)

    def _checkpoints(self, leg: SampleLeg, session: Session, rows: list[Row]) -> Iterator[CheckpointListing]:
        steps = [leg.durable_step - k * self.run.save_every for k in (2, 1, 0)]
        for step in [s for s in steps if s > leg.first_step]:
            share = (step - leg.first_step) / (leg.last_step - leg.first_step)
            at = session.started_at + share * (session.heartbeat_at - session.started_at)
            kept = [r for r in rows if r.step <= step]
            files = tuple(self._files(step, at))
            manifest = Manifest(
                self.run_id,
                session.id,
                1,
                step,
                step / 780,
                at,
                files,
                session.term,
                metric_rows=kept[-1].row + 1,
                trained_s=share * session.trained_s,
                metrics={r.name: r.value for r in kept[-4:]},
                environment=session.versions,
            )
            body = encode(manifest)
            key = naming.manifest_file(self.folder, step, session.id, 1)
            published = at + timedelta(seconds=21)
            self.put(key, body, published)
            yield CheckpointListing(
                key,
                step,
                1,
                manifest.epoch,
                at,
                published,
                manifest.size_bytes,
                _sha256(body),
                manifest.metric_rows,
                manifest.trained_s,
                proven=leg.proven,
                metrics=manifest.metrics,
                owner="you",
            )

    def _files(self, step: int, at: datetime) -> Iterator[FileEntry]:
        """Small, whole files: one tensor each of seeded bytes, openable with safetensors."""
        for name, values in (("model.safetensors", 2_000), ("optimizer.safetensors", 4_000)):
            yield self._file(step, name, _safetensors(self.rng.randbytes(values)), at)
        yield self._file(step, "trainer.json", json.dumps({"step": step, "simulated": True}).encode(), at)

    def _file(self, step: int, name: str, body: bytes, at: datetime) -> FileEntry:
        pool = naming.pool_name(step, name, _sha256(body))
        self.put(naming.pool_file(self.folder, pool), body, at)
        return FileEntry(name, pool, len(body), _sha256(body), _md5(body))


def _resume(source: Session) -> ResumeRecord:
    checkpoint = source.checkpoints[-1]
    again = source.step - checkpoint.step
    reason = f"{again} steps came after the last durable checkpoint" if again else ""
    return ResumeRecord(
        source.id,
        checkpoint.key,
        checkpoint.step,
        checkpoint.metric_rows,
        "SAME DATA",
        ("cuDNN chose other kernels",),
        (),
        reason,
    )


def _proof(resumed: ResumeRecord, before: Sequence[Row], after: Sequence[Row]) -> ResumeProof:
    """What a session finds of its own resume, found in the same way: the steps run again beside what was logged of them before."""
    recorded = first_steps(row for row in before if row.row >= resumed.metric_rows)
    found = compare_again(recorded, (row for row in after if recorded and row.step <= recorded[-1].step))
    if found is None:
        return ResumeProof("same", note="nothing was recorded after that checkpoint, so no step could be compared")
    return ResumeProof("same", **asdict(found))


def _safetensors(data: bytes) -> bytes:
    header = json.dumps({"simulated": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
