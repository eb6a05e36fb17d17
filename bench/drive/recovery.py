"""Every kind of call struck by every kind of trouble: does the work end well without a person, and by whose effort.

The client's own read timeout is cut from 60 s to one second for the stalls; the waits between tries are not slept through.
"""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tables import render

from batonpass.core.errors import BatonpassError
from batonpass.core.storage import Transfer
from batonpass.sync.drive import http, pydrive
from drive.ground import MIB, Ground, Limits, Size
from drive.ours import opened

TROUBLES: dict[str, dict[str, Any]] = {
    "HTML 502": {"kind": "answer", "status": 502, "html": True},
    "429": {"kind": "answer", "status": 429, "reason": "rateLimitExceeded", "retry_after_s": 1},
    "reset": {"kind": "reset"},
    "timeout": {"kind": "stall", "for_s": 2.5},
}
TIMES = 2
"""Each trouble strikes so often in a row."""


def measure(ground: Ground, size: Size) -> str:
    """One row per call, one column per trouble: how many of the attempts ended well."""
    repeats = 1 if size.quick else min(size.repeats, 3)
    draw = random.Random(size.seed)
    rows = []
    with patch.object(http, "TIMEOUT_S", (1.0, 1.0)), patch.object(pydrive, "TIMEOUT_S", 1.0):
        for op in _work({}, None, Path()):
            cells = [_cell(ground, op, trouble, repeats, draw) for trouble in TROUBLES.values()]
            rows.append([op, *cells])
    title = f"Each call struck {TIMES} times in a row (goal: all recover without a person), {repeats} each"
    return render(title, ["batonpass", *TROUBLES], rows)


def _cell(ground: Ground, op: str, trouble: dict[str, Any], repeats: int, draw: random.Random) -> str:
    well = 0
    for _ in range(repeats):
        account = ground.account()
        place = ground.folder / f"place-{draw.getrandbits(40):x}"
        place.mkdir()
        with opened(ground, account, place) as (bare, store):
            body = draw.randbytes(5 * MIB)
            (place / "big").write_bytes(body)
            big = place / "big"
            store.put("a/small.json", b"1")
            version = store.put("a/head.json", b"1").version
            store.put("a/whole.bin", big, transfer=Transfer())
            ground.begin(Limits())
            if op == "token":
                ground.emulator.control("expire_tokens")
            ground.emulator.fault(op="files.insert" if op.startswith("upload open") else op, times=TIMES, **trouble)
            work = _work({"bare": bare, "store": store, "version": version, "body": body}, ground, big)[op]
            with contextlib.suppress(BatonpassError):
                well += bool(work()) and not ground.emulator.control("pending_faults")
            ground.end()
        ground.clean(account)
    return f"{well} of {repeats}"


def _work(have: dict[str, Any], ground: Ground | None, big: Path) -> dict[str, Callable[[], bool]]:
    """For each call, something that makes it and knows whether it ended well."""
    store, bare = have.get("store"), have.get("bare")

    def back(key: str) -> bytes:
        to = io.BytesIO()
        store.fetch(key, to)
        return to.getvalue()

    def uploaded() -> bool:
        store.put("a/new.bin", big, transfer=Transfer())
        return ground is not None and back("a/new.bin") == have["body"]

    return {
        "files.get": lambda: store.stat("a/head.json").size_bytes == 1,
        "files.list": lambda: store.list_folders("") == ["a"],
        "files.insert": lambda: store.put("a/other.json", b"22").size_bytes == 2,
        "files.update": lambda: store.put("a/head.json", b"33", expect=have["version"]).size_bytes == 2,
        "files.generateIds": lambda: len(store.new_ids(150)) == 150,
        "upload open (files.insert)": uploaded,
        "upload.put": uploaded,
        "media.get": lambda: back("a/whole.bin") == have["body"],
        "files.delete": lambda: store.delete("a/small.json") is None and store.list_folders("") == ["a"],
        "about.get": lambda: _about(store, bare),
        "token": lambda: store.stat("a/head.json").size_bytes == 1,
    }


def _about(store: Any, bare: Any) -> bool:
    """`about` stands beside the store's protocol; the same tries around it."""
    return bool(store._try(bare.about)["quotaBytesTotal"])
