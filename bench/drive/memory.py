"""Anonymous memory above the idle process while a large file goes up and comes back."""

from __future__ import annotations

from tables import render

from drive.clients import OURS, PYDRIVE, Client, Ours, PyDrive2, Rclone, present
from drive.ground import MIB, Ground, Limits, Size
from drive.rounds import Result, in_turns
from drive.speaking import Memory

GOAL_MB = 40


def measure(ground: Ground, size: Size) -> str:
    """RssAnon + RssShmem, sampled fifty times a second: the peak above the moment before. rclone has no idle moment, so all of it counts."""
    file_bytes = (16 if size.quick else 2048) * MIB
    names = [OURS, *[n for n in present() if n not in (OURS, PYDRIVE)], PYDRIVE]
    results = in_turns(ground, size, names, lambda c: _attempt(c, ground, file_bytes), repeats=1)
    rows = []
    for name, (one,) in results.items():
        up, down = one.notes["up"] / 1e6, one.notes["down"] / 1e6
        rows.append([name, f"{up:.1f}", f"{down:.1f}", f"{one.log['requests']}", f"{one.log['bytes_in'] / 1e6:.0f}"])
    title = f"Memory for a file of {file_bytes // MIB} MiB (goal: {GOAL_MB} MB above idle, up and down), once each"
    return render(title, ["", "up, MB", "down, MB", "requests", "MB on the wire"], rows)


def _attempt(client: Client, ground: Ground, file_bytes: int) -> Result:
    client.prepare(file_bytes, sparse=True)
    ground.begin(Limits())
    if isinstance(client, Rclone):
        return _rclone(client, ground)
    assert isinstance(client, Ours | PyDrive2)
    up = Memory(client.child.process.pid)
    client.begin()
    took = client.finish()
    notes = {"up": float(up.extra_bytes())}
    down = Memory(client.child.process.pid)
    client.ask("fetch", **({} if isinstance(client, Ours) else {"path": str(client.place / "back.bin")}))
    return Result(took, ground.emulator.log(), {**notes, "down": float(down.extra_bytes())})


def _rclone(client: Rclone, ground: Ground) -> Result:
    up = Memory(client.begin().process.pid)
    took = client.finish()
    notes = {"up": float(up.extra_bytes())}
    child = client.start("copy", "drive:there", str(client.place / "back"))
    down = Memory(child.process.pid)
    if child.process.wait(600):
        raise RuntimeError(child.errors())
    notes["down"] = float(down.extra_bytes())
    child.close()
    return Result(took, ground.emulator.log(), notes)
