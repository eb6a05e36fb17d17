"""Time from the start of an upload to its proof, over a slow line: what the number of requests costs."""

from __future__ import annotations

from statistics import median

from tables import render, spread

from drive.clients import OURS, RCLONE, Client, Ours, present
from drive.ground import MIB, Ground, Limits, Size
from drive.rounds import Result, in_turns

GOAL = 2.5


def measure(ground: Ground, size: Size) -> str:
    """One file; ours until VERIFIED, and until it is listed (durable); the others until they return."""
    file_bytes = (6 if size.quick else 100) * MIB
    limits = Limits(latency_s=0.02 if size.quick else 0.2)

    def attempt(client: Client) -> Result:
        client.prepare(file_bytes)
        ground.begin(limits)
        client.begin()
        took = client.finish()
        notes = {"durable_s": float(client.times["durable_s"])} if isinstance(client, Ours) else {}
        return Result(took, ground.emulator.log(), notes)

    results = in_turns(ground, size, present(), attempt)
    base = median(r.took_s for r in results[RCLONE]) if RCLONE in results else None
    rows = []
    for name, done in results.items():
        rows.append(_row(name, [r.took_s for r in done], done, base))
        if name == OURS:
            rows[-1][0] += ", until VERIFIED"
            rows.append(_row(f"{name}, until listed", [r.notes["durable_s"] for r in done], done, base))
    title = f"{file_bytes // MIB} MiB at {limits.latency_s * 1000:.0f} ms a request (goal: VERIFIED {GOAL} times faster than rclone), {size.repeats} each"
    return render(title, ["", "seconds", "rclone takes, times", "requests", "quota units"], rows)


def _row(name: str, seconds: list[float], done: list[Result], base: float | None) -> list[str]:
    requests, units = (median(r.log[what] for r in done) for what in ("requests", "units"))
    ratio = f"{base / median(seconds):.2f}" if base else "-"
    return [name, spread(seconds, 1, 2), ratio, f"{requests:.0f}", f"{units:.0f}"]
