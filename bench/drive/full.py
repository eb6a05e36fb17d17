"""A Drive that fills up under a training, and has room again later: after how many ticks is it said, and after how many is it over."""

from __future__ import annotations

import time
from statistics import median

from tables import render, spread

from batonpass.core.trouble import POLICIES, Kind
from drive.ground import Ground, Limits, Size
from drive.playing import TICK_S, playing
from drive.session import commit

FILE_BYTES = 6 << 20
ROOM_BYTES = 200_000


def measure(ground: Ground, size: Size) -> str:
    """The started service, ticking every 50 ms."""
    attempts = [_attempt(ground, number) for number in range(size.repeats)]
    rows = []
    for what, values in zip(
        ("ticks until the state and its hint stand", "ticks with a full Drive", "metric updates that got through then", "requests for content then", "ticks from the next probe to durable"),
        zip(*attempts, strict=True),
        strict=True,
    ):  # fmt: skip
        rows.append([what, spread(values)])
    title = f"A full Drive, {size.repeats} times, a tick each {TICK_S * 1000:.0f} ms (goal: said within one tick, over by itself)"
    return render(title, ["", "ticks or updates"], rows) + f"Median {median(a[0] for a in attempts):.0f}.\n"


def _attempt(ground: Ground, number: int) -> tuple[int, int, int, int, int]:
    account = ground.account()
    with playing(ground, account, ground.folder / f"home-{number}") as one:
        service = one.active.service
        one.active.start()
        made = commit(one.joined, 1, FILE_BYTES)
        used = sum(f["size"] for f in ground.files_of(account))
        ground.emulator.control("account", email=account, quota_bytes=used + ROOM_BYTES)
        ground.begin(Limits())
        began = one.ticks
        one.active.enqueue(*made)
        ground.wait_for(lambda: not service.blobs.ok)
        said = one.ticks - began
        if "room" not in service.blobs.hint:
            raise RuntimeError(f"no hint what to do: {service.blobs.as_dict()}")
        beats = one.joined.writer.record.beat
        full_from = one.ticks
        for step in range(2, 8):
            one.step = step
            seen = one.ticks
            ground.wait_for(lambda seen=seen: one.ticks >= seen + 2)
        through = one.joined.writer.record.beat - beats
        if not service.beat.ok or service.blobs.ok:
            raise RuntimeError(f"metrics did not go on: {service.state()}")
        stayed = one.ticks - full_from
        asked = ground.end()["by_op"].get("files.insert", 0)
        ground.begin(Limits())
        ground.emulator.control("account", email=account, quota_bytes=1 << 40)
        room_at = one.ticks
        wait_s = POLICIES[Kind.FULL].longest_s
        service.blobs.monotonic = lambda: time.monotonic() + wait_s  # the minutes between two probes are not waited for
        ground.wait_for(lambda: service.durable is not None)
        over = one.ticks - room_at
    ground.end()
    ground.clean(account)
    return said, stayed, through, asked, over
