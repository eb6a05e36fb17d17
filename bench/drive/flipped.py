"""One flipped bit in what lies on the store: is it found, is it refused, and what is taken instead."""

from __future__ import annotations

import random
import shutil
from fractions import Fraction

from tables import render

from batonpass.core.errors import CorruptCheckpointError
from batonpass.sync.bringing import bring_back
from batonpass.sync.reading import read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.verifying import Share, verify_run
from drive.ground import Ground, Size
from drive.playing import Playing, playing
from drive.session import commit

FILE_BYTES = 5000


def measure(ground: Ground, size: Size) -> str:
    """Bits drawn from the newest checkpoint's file and manifest; each is flipped back before the next."""
    count = 10 if size.quick else 100
    draw = random.Random(size.seed)
    account = ground.account()
    with playing(ground, account, ground.folder / "home") as one:
        for step in (1, 2):
            one.step = step
            listing = one.active.mirror.send(*commit(one.joined, step, FILE_BYTES))
            one.joined.writer.add_checkpoint(listing)
        one.joined.writer.publish()
        quiet = _look(one, ground)
        blobs = [f for f in ground.files_of(account) if f["title"].startswith(("2-", "00000002", "000000000002"))]
        blobs = blobs or [f for f in ground.files_of(account) if "2" in f["title"].partition("-")[0]]
        found = [0, 0, 0]
        for _ in range(count):
            blob = draw.choice(blobs)
            where = {"file_id": blob["id"], "at": draw.randrange(blob["size"]), "bit": draw.randrange(8)}
            ground.emulator.control("corrupt", **where)
            found = [sum(pair) for pair in zip(found, _look(one, ground), strict=True)]
            ground.emulator.control("corrupt", **where)
        whole = _look(one, ground)
    ground.clean(account)
    rows = [
        ["before, nothing flipped", "1", *map(str, quiet)],
        ["one bit flipped", str(count), *map(str, found)],
        ["after, all flipped back", "1", *map(str, whole)],
    ]
    names = ", ".join(sorted({f["title"].rpartition(".")[2] for f in blobs}))
    title = f"Flipped bits in the newest checkpoint ({len(blobs)} objects: {names}), seed {size.seed}"
    return render(title, ["", "tries", "verify --read finds it", "restore refuses it", "the older one is taken"], rows)


def _look(one: Playing, ground: Ground) -> list[int]:
    """Found, refused, fallen back: each 1 or 0."""
    store, folder = one.joined.store, one.joined.folder
    run = read_run(store, folder)
    findings = verify_run(store, run, share=Share(Fraction(1), 0)).findings
    to = ground.folder / "back"
    try:
        fetch_checkpoint(store, folder, run.sessions[0].session.checkpoints[-1], to)
        refused = 0
    except CorruptCheckpointError:
        refused = 1
    left = [p for p in to.rglob("*") if refused and p.is_file() and p.suffix != ".lock"]
    shutil.rmtree(to, ignore_errors=True)
    brought = bring_back(store, run, to)
    shutil.rmtree(to)
    return [int(any(f.step == 2 for f in findings)), int(refused and not left), int(brought.manifest.step == 1)]
