"""Writes one long run into a folder store, as eight sessions of a training would have left it: each killed, each begun again some steps back,
its rows sealed a megabyte of tail at a time. Seeded; the same arguments give the same rows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from app.stores import listing_of, put

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import describe_segment, encode_segment
from batonpass.core.metrics.tail import SEAL_BYTES, encode_tail
from batonpass.core.model import Head, Host, ResumeRecord, Root, RunInfo, Segment, Session

SESSIONS = 8
AGAIN = 0.01
"""The share of a session's steps that the next one runs again."""
NAMES = ("loss", "grad_norm", "lr")
ROW_BYTES = 45
"""Of a row in a tail's JSON, about."""
END = datetime(2026, 11, 1, tzinfo=UTC)


def write_long_run(root: Path, steps: int, *, seed: int = 1) -> int:
    """`steps` different steps of three metrics, and those run again. Returns the number of rows."""
    draw = np.random.default_rng(seed)
    each = steps // SESSIONS
    folder = naming.run_folder("long", "10000000")
    sessions: list[Session] = []
    for leg in range(SESSIONS):
        first = 1 + leg * each - (int(AGAIN * each) if leg else 0)
        began = END - timedelta(hours=3 * (SESSIONS - leg))
        sessions.append(_session(root, folder, leg, range(first, (leg + 1) * each + 1), began, sessions, draw))
    put(root, naming.ROOT_FILE, encode(Root("b16b16b16b16", END, "bench")), END)
    for session in sessions:
        put(root, naming.session_file(folder, session.id), encode(session), session.heartbeat_at)
    info = RunInfo("10000000", "long", "long", END, sessions[0].id, 2 * steps)
    put(root, naming.run_file(folder), encode(info), END)
    ids = tuple(s.id for s in sessions)
    put(root, naming.head_file(folder), encode(Head(SESSIONS, ids[-1], "bench", ids)), END)
    return sum(s.rows for s in sessions)


def values_of(steps: range, draw: np.random.Generator) -> np.ndarray:
    """float64[steps, 3]: a noisy loss and gradient norm as float32 gives them, and a schedule."""
    at = np.arange(steps.start, steps.stop, dtype=np.float64)
    loss = 0.3 + 3 * np.exp(-at / 2e5) + draw.normal(0, 0.05, len(at))
    norm = 1 + 5 * np.exp(-at / 1e5) + draw.gamma(2, 0.2, len(at))
    lr = 1e-3 * 0.5 * (1 + np.cos(np.pi * at / 1.2e6))
    return np.column_stack([loss.astype(np.float32), norm.astype(np.float32), lr]).astype(np.float64)


def _session(
    root: Path,
    folder: str,
    leg: int,
    steps: range,
    began: datetime,
    before: list[Session],
    draw: np.random.Generator,
) -> Session:
    session_id = f"{began:%Y%m%dt%H%M%S}-{leg:06x}"
    values = values_of(steps, draw)
    start = began.timestamp()
    rows = [
        Row(len(NAMES) * k + place, step, step / 5000, start + 0.01 * k, name, value)
        for k, step in enumerate(steps)
        for place, (name, value) in enumerate(zip(NAMES, values[k].tolist(), strict=True))
    ]
    chunk = len(NAMES) * (SEAL_BYTES // ROW_BYTES // len(NAMES))
    tail_from = len(rows) - len(rows) % chunk
    segments: list[Segment] = []
    for number, at in enumerate(range(0, tail_from, chunk)):
        body = encode_segment(rows[at : at + chunk])
        key = naming.segment_file(folder, session_id, number)
        segments.append(describe_segment(key, rows[at : at + chunk], body))
        put(root, key, body, began)
    session = Session(
        id=session_id,
        run_id="10000000",
        term=leg + 1,
        account="personal",
        host=Host("colab", f"machine-{leg}", f"{leg}-1"),
        started_at=began,
        heartbeat_at=began + timedelta(hours=2),
        step=steps.stop - 1,
        epoch=steps.stop / 5000,
        trained_s=7000.0,
        steps_done=len(steps),
        rows=len(rows),
        segments=tuple(segments),
        tail=encode_tail(rows[tail_from:]),
    )
    if before:
        last = before[-1]
        at = steps.start - 1
        row = last.rows - len(NAMES) * (last.step - at)
        key = naming.manifest_file(folder, at, last.id, 1)
        session = replace(session, resumed_from=ResumeRecord(last.id, key, at, row, "EXACT"))
    return replace(session, checkpoints=(listing_of(folder, session),))
