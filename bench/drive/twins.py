"""Creates that are done and answered with a 503: how many twins are there afterwards, and how many bytes went out twice."""

from __future__ import annotations

import os

from tables import render

from drive.clients import PyDrive2, Rclone, present
from drive.ground import MIB, Ground, Limits, Size
from drive.ours import opened
from drive.rounds import client

SMALL_BYTES = 100_000
METADATA_BYTES = 600
"""At most so much of a request is not content: the file's name, parent, id, and the marks between the parts."""


def measure(ground: Ground, size: Size) -> str:
    """Half of the files go in one request each, half in a session."""
    count = 4 if size.quick else 50
    files = {
        f"{number:02}.bin": os.urandom(5 * MIB + number if number % 2 else SMALL_BYTES + number)
        for number in range(count)
    }
    rows = [_ours(ground, files), *(_theirs(ground, name, files) for name in present()[1:])]
    title = f"{count} creates, each done and answered with a 503 (goal: 0 twins, 0 extra bytes), once each"
    return render(title, ["", "files there", "twins", "kB sent beyond the files", "requests"], rows)


def _strike(ground: Ground) -> None:
    ground.emulator.fault("lost_commit", op="files.insert|upload.put", times=0)


def _row(ground: Ground, name: str, account: str, files: dict[str, bytes]) -> list[str]:
    log = ground.emulator.log()
    titles = [f["title"] for f in ground.files_of(account)]
    content = sum(len(body) for body in files.values())
    extra = max(0, log["bytes_in"] - content - METADATA_BYTES * log["requests"])
    twins = len(titles) - len(set(titles))
    return [name, str(len(titles)), str(twins), f"{extra / 1e3:.1f}", str(log["requests"])]


def _ours(ground: Ground, files: dict[str, bytes]) -> list[str]:
    account = ground.account()
    with opened(ground, account, ground.folder / "home") as (_, store):
        store.put("first.json", b"{}")
        store.delete("first.json")
        ground.begin(Limits())
        _strike(ground)
        for key, body in files.items():
            path = ground.folder / key
            path.write_bytes(body)
            store.put(key, path, store_id=store.new_ids(1)[0])
        row = _row(ground, "batonpass", account, files)
    ground.end()
    ground.clean(account)
    return row


def _theirs(ground: Ground, name: str, files: dict[str, bytes]) -> list[str]:
    with client(ground, name) as one:
        assert isinstance(one, Rclone | PyDrive2)
        here = one.place / "here"
        here.mkdir()
        for key, body in files.items():
            (here / key).write_bytes(body)
        if isinstance(one, Rclone):
            one.run("mkdir", "drive:there")
        ground.begin(Limits())
        _strike(ground)
        if isinstance(one, Rclone):
            one.begin()
            one.finish()
        else:
            one.ask("send_all", folder=str(here))
        return _row(ground, name, one.account, files)
