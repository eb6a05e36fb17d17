"""How much of a capped line is used by content."""

from __future__ import annotations

from statistics import median

from tables import render, spread

from drive.clients import OURS, RCLONE, Client, present
from drive.ground import MIB, Ground, Limits, Size
from drive.rounds import Result, in_turns

GOAL = 0.98
CAP_BYTES_PER_S = 50e6 / 8


def measure(ground: Ground, size: Size) -> str:
    """One large file; an upload takes 86 s at 50 Mbit/s, so that fewer rounds are driven than elsewhere."""
    file_bytes = (4 if size.quick else 512) * MIB
    limits = Limits(link_bytes_per_s=20e6 if size.quick else CAP_BYTES_PER_S)

    def attempt(client: Client) -> Result:
        client.prepare(file_bytes)
        ground.begin(limits)
        client.begin()
        return Result(client.finish(), ground.emulator.log())

    repeats = min(size.repeats, 3)
    names = [name for name in present() if name in (OURS, RCLONE)]
    results = in_turns(ground, size, names, attempt, repeats=repeats)
    rows = [
        [
            name,
            spread([100 * file_bytes / r.took_s / limits.link_bytes_per_s for r in done], 1, 1),
            spread([r.took_s for r in done], 1, 1),
            f"{median(r.log['bytes_in'] for r in done) / 1e6:.1f}",
            f"{median(r.log['requests'] for r in done):.0f}",
        ]
        for name, done in results.items()
    ]
    title = f"{file_bytes // MIB} MiB over {limits.link_bytes_per_s * 8 / 1e6:.0f} Mbit/s (goal: at least {GOAL:.0%} of the cap), {repeats} each"
    return render(title, ["", "% of the cap", "seconds", "MB on the wire", "requests"], rows)
