"""A storm of faults: bounded (each strikes once), repeatable (from a seed), and over every kind of call."""

from __future__ import annotations

import random
from collections.abc import Callable

from drive_emulator.faults import Fault

_BODY_BYTES = 3 << 20

_ANYWHERE: tuple[Callable[[random.Random, str], Fault], ...] = (
    lambda _, op: Fault("answer", op, status=503),
    lambda _, op: Fault("answer", op, status=502, html=True),
    lambda r, op: Fault("answer", op, status=429, reason="rateLimitExceeded", retry_after_s=r.choice((0, 0.1, 1))),
    lambda _, op: Fault("answer", op, status=403, reason="userRateLimitExceeded"),
    lambda _, op: Fault("answer", op, status=401, reason="authError"),
    lambda r, op: Fault("reset", op, after_bytes=r.randrange(_BODY_BYTES)),
    lambda r, op: Fault("stall", op, for_s=r.uniform(0.0, 0.1)),
    lambda _, op: Fault("lost", op, status=0),
    lambda _, op: Fault("lost", op, status=503),
)
_SESSION: tuple[Callable[[random.Random, str], Fault], ...] = (
    lambda r, op: Fault("short", op, keep_bytes=r.randrange(_BODY_BYTES)),
    lambda r, op: Fault("gone", op, status=r.choice((404, 410))),
    lambda r, op: Fault("answer", op, status=401, reason="authError", after_bytes=r.randrange(_BODY_BYTES)),
    lambda r, op: Fault("answer", op, status=503, after_bytes=r.randrange(_BODY_BYTES)),
)
CALLS = (
    "files.list",
    "files.get",
    "files.insert",
    "files.update",
    "files.delete",
    "files.generateIds",
    "revisions.list",
    "media.get",
    "upload.put",
    "upload.query",
)


def storm(seed: int, count: int = 60, within: int = 6) -> list[Fault]:
    """`count` faults, dealt over the calls in turn; each lets up to `within` of its calls pass first."""
    chance = random.Random(seed)
    faults = []
    for i in range(count):
        op = CALLS[i % len(CALLS)]
        fault = chance.choice((*_ANYWHERE, *_SESSION) if op == "upload.put" else _ANYWHERE)(chance, op)
        fault.skip = chance.randint(0, within)
        faults.append(fault)
    return faults
