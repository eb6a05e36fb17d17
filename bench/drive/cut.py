"""Bytes on the wire when something goes wrong in the middle of an upload: a reset, a 503, an answer that keeps less than was sent."""

from __future__ import annotations

from statistics import median
from typing import Any

from tables import render

from drive.clients import Client, present
from drive.ground import MIB, Ground, Limits, Size
from drive.rounds import Result, in_turns

FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset", "op": "upload.put"},
    "503": {"kind": "answer", "op": "upload.put", "status": 503},
    "503, then cut": {"kind": "early", "op": "upload.put", "status": 503},
    "short 308": {"kind": "short", "op": "upload.put"},
}


def measure(ground: Ground, size: Size) -> str:
    """Each fault once per upload, at the same byte for everybody."""
    file_bytes = (12 if size.quick else 32) * MIB
    at_bytes = file_bytes // 2 + 3 * MIB // 2 + 17
    rows = []
    for label, fault in FAULTS.items():
        results = in_turns(
            ground, size, present(), lambda client, f=fault: _attempt(client, ground, file_bytes, at_bytes, f)
        )
        for name, done in results.items():
            rows.append(_row(label, name, done, file_bytes))
    title = (
        f"One fault at byte {at_bytes:,} of {file_bytes // MIB} MiB (goal: at most 1.01 x the file and what was lost), "
        f"median of {size.repeats}"
    )
    return render(title, ["", "sent / file", "lost / file", "beyond both", "requests", "finished by itself"], rows)


def _attempt(client: Client, ground: Ground, file_bytes: int, at_bytes: int, fault: dict[str, Any]) -> Result:
    client.prepare(file_bytes)
    ground.begin(Limits())
    ground.emulator.fault(at_bytes=at_bytes, **fault)
    client.begin()
    try:
        took = client.finish()
    except RuntimeError:
        took = -1.0
    log = ground.emulator.log()
    met = not ground.emulator.control("pending_faults")
    if not met:
        raise RuntimeError(f"{client.name} was not struck by {fault}")
    whole = sum(f["size"] == file_bytes for f in ground.files_of(client.account))
    return Result(took, log, {"whole": float(whole == 1 and took >= 0), "lost": float(log.get("bytes_lost", 0))})


def _row(label: str, name: str, done: list[Result], file_bytes: int) -> list[str]:
    sent = median(r.log["bytes_in"] for r in done)
    lost = median(r.notes["lost"] for r in done)
    recovered = sum(r.notes["whole"] for r in done)
    return [
        f"{label}: {name}",
        f"{sent / file_bytes:.3f}",
        f"{lost / file_bytes:.3f}",
        f"{(sent - lost) / file_bytes:.3f}",
        f"{median(r.log['requests'] for r in done):.0f}",
        f"{recovered:.0f} of {len(done)}",
    ]
