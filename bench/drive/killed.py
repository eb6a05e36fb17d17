"""Bytes on the wire when the uploading process is killed at 80 % and started again."""

from __future__ import annotations

from statistics import median

from tables import render, spread

from drive.clients import Client, present
from drive.ground import MIB, Ground, Limits, Size
from drive.rounds import Result, in_turns

GOAL = 1.01
KILL_AT = 0.8
LIMITS = Limits(link_bytes_per_s=50e6)


def measure(ground: Ground, size: Size) -> str:
    """SIGKILL when the emulator has 80 % of the file, and the restart to the end."""
    file_bytes = (60 if size.quick else 100) * MIB

    def attempt(client: Client) -> Result:
        """One upload of this client, killed and begun again. RuntimeError where the kill came too late or the file is not there once."""
        client.prepare(file_bytes)
        ground.begin(LIMITS)
        child = client.begin()
        ground.wait_for(lambda: ground.received(client.account) >= KILL_AT * file_bytes)
        child.kill()
        landed = ground.received(client.account) / file_bytes
        unfinished = not any(f["size"] == file_bytes for f in ground.files_of(client.account))
        client.restart()
        whole = sum(f["size"] == file_bytes for f in ground.files_of(client.account))
        if not (unfinished and whole == 1):
            raise RuntimeError(f"{client.name}: the kill missed its window, or {whole} whole files are there")
        log = ground.emulator.log()
        return Result(0.0, log, {"landed": landed})

    results = in_turns(ground, size, present(), attempt)
    rows = [
        [
            name,
            spread([r.log["bytes_in"] / file_bytes for r in done], 1, 3),
            f"{median(r.log['bytes_in'] for r in done) / 1e6:.1f}",
            f"{median(r.log['requests'] for r in done):.0f}",
            spread([r.notes["landed"] * 100 for r in done], 1, 1),
        ]
        for name, done in results.items()
    ]
    title = f"kill -9 at 80 % of {file_bytes // MIB} MiB, restarted (goal: at most {GOAL} x the file), {len(rows and next(iter(results.values())))} each"
    return render(title, ["", "sent / file", "MB on the wire", "requests", "killed at, %"], rows)
