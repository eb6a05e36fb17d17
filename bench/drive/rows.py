"""Metric rows to durable: ours in the session's file (and a sealed segment), the others as the many small files that people write."""

from __future__ import annotations

from statistics import median

from tables import render, spread

from drive.clients import OURS, PYDRIVE, RCLONE, Client, Ours, PyDrive2, Rclone, present
from drive.ground import Ground, Limits, Size
from drive.rounds import Result, in_turns

FILE_BYTES = 2048
OLD_S = 601.0
"""Rows this old are due to be sealed into a segment."""


def measure(ground: Ground, size: Size) -> str:
    """The same bytes: `count` files of 2 KB for the rivals, as many rows for us. Nobody makes more than two files a second."""
    count = 4 if size.quick else 200
    limits = Limits(latency_s=0.02 if size.quick else 0.1, creates_per_s=50 if size.quick else 2)
    repeats = min(size.repeats, 3)

    def attempt(client: Client, age_s: float = 0.0) -> Result:
        if isinstance(client, Ours):
            return _ours(client, ground, limits, count, age_s)
        assert isinstance(client, Rclone | PyDrive2)
        return _theirs(client, ground, limits, count)

    tail = in_turns(ground, size, present(), attempt, repeats=repeats)
    sealed = in_turns(ground, size, [OURS], lambda client: attempt(client, OLD_S), repeats=repeats)
    results = {f"{OURS}, tail": tail.pop(OURS), f"{OURS}, tail and segment": sealed[OURS], **tail}
    base = median(r.took_s for r in results[RCLONE]) if RCLONE in results else None
    rows = [
        [
            name,
            spread([r.took_s for r in done], 1, 2),
            f"{median(r.took_s for r in done) / base:.4f}" if base else "-",
            f"{median(r.log['requests'] for r in done):.0f}",
            f"{median(r.log['bytes_in'] for r in done) / 1e3:.0f}",
        ]
        for name, done in results.items()
    ]
    title = (
        f"The rows of {count} files of 2 KB at {limits.latency_s * 1000:.0f} ms and {limits.creates_per_s:g} new files a second "
        f"(goal: 10 requests, 1/10 of rclone's time), {repeats} each"
    )
    note = f"`{PYDRIVE}` gives up where Drive asks for a pause; here each file is tried again after a second.\n"
    return render(title, ["", "seconds", "of rclone's", "requests", "kB on the wire"], rows) + note


def _ours(client: Ours, ground: Ground, limits: Limits, count: int, age_s: float) -> Result:
    client.prepare(1000)
    per_row = 55
    client.ask("log", rows=count * FILE_BYTES // per_row, age_s=age_s)
    ground.begin(limits)
    took = client.ask("publish")
    if took["segments"] != (1 if age_s else 0) or bool(took["tail"]) == bool(age_s):
        raise RuntimeError(f"the rows went elsewhere: {took}")
    return Result(float(took["durable_s"]), ground.emulator.log())


def _theirs(client: Rclone | PyDrive2, ground: Ground, limits: Limits, count: int) -> Result:
    folder = client.place / "here"
    folder.mkdir()
    for number in range(count):
        (folder / f"rows-{number:04}.jsonl").write_bytes(b"[1, 0.25, 3.5]\n".ljust(FILE_BYTES, b" "))
    if isinstance(client, Rclone):
        client.run("mkdir", "drive:there")
        ground.begin(limits)
        client.begin()
        took = client.finish()
    else:
        ground.begin(limits)
        took = float(client.ask("send_all", folder=str(folder))["sent_s"])
    if len(ground.files_of(client.account)) != count:
        raise RuntimeError(f"{client.name} left {len(ground.files_of(client.account))} files")
    return Result(took, ground.emulator.log())
