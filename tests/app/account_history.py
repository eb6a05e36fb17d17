"""A store with one run of many sessions on three accounts, which their pages can draw curves from."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.model import (
    Account,
    CheckpointListing,
    End,
    EndKind,
    Gpu,
    Head,
    Host,
    Root,
    RunInfo,
    Session,
)

RUN_ID = "0badcafe"
HOURS = {"personal": 5.0, "school": 1.0, "work": 8.0}
"""About how long machines stay."""


def write_history(root: Path, *, sessions: int = 45, now: datetime | None = None, seed: int = 3) -> Path:
    """The newest ends an hour ago; a few were ended by hand."""
    draw = random.Random(seed)
    at = (now or datetime.now(UTC)) - timedelta(hours=1)
    folder = naming.run_folder("bert", RUN_ID)
    every: list[Session] = []
    for k in range(sessions):
        account = draw.choice(sorted(HOURS))
        length = timedelta(hours=HOURS[account] * draw.uniform(0.6, 1.4))
        every.append(_session(folder, f"{k:06x}", account, at - length, at, draw))
        at -= length + timedelta(hours=draw.uniform(1, 12))
    every.reverse()
    for session in every:
        _put(root, naming.session_file(folder, session.id), encode(session))
    ids = tuple(s.id for s in every)
    began = every[0].started_at
    _put(root, naming.ROOT_FILE, encode(Root("5a3b1e5a3b1e", began, "test")))
    _put(root, naming.run_file(folder), encode(RunInfo(RUN_ID, "bert", "bert", began, ids[0], 100_000, {})))
    _put(root, naming.head_file(folder), encode(Head(1, ids[-1], "test", ids)))
    for label in HOURS:
        _put(root, naming.account_file(label), encode(Account(label, "colab", "Pro", 12.0, "EUR", 80.0, at)))
    return root


def _session(
    folder: str, end_of_id: str, account: str, began: datetime, ended: datetime, draw: random.Random
) -> Session:
    name = f"{began:%Y%m%dt%H%M%S}-{end_of_id}"
    trained_s = 0.9 * (ended - began).total_seconds()
    saved = CheckpointListing(
        naming.manifest_file(folder, 900, name, 1),
        900,
        1,
        0.0,
        ended,
        ended,
        10,
        "0" * 64,
        0,
        0.9 * trained_s,
        proven=True,
    )
    return Session(
        name,
        RUN_ID,
        1,
        account,
        Host("colab", f"machine-{name}", "1-1"),
        began,
        ended,
        step=1000,
        steps_done=1000,
        trained_s=trained_s,
        gpus=(Gpu(draw.choice(["Tesla T4", "NVIDIA L4"]), 15 * 2**30),),
        checkpoints=(saved,),
        end=End(EndKind.STOPPED, ended) if draw.random() < 0.2 else None,
    )


def _put(root: Path, key: str, body: bytes) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
