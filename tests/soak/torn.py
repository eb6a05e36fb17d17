"""A trainer writes its file over and over, in place, while it is taken and sent: nothing torn is ever published.

PYTHONPATH=.typelink:tests python -m soak.torn --runs 1000 --seed 7
"""

from __future__ import annotations

import argparse
import hashlib
import random
import secrets
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drive_emulator.process import running
from watch.trainers import safetensors

from batonpass.core import naming
from batonpass.core.errors import BatonpassError
from batonpass.core.model import CheckpointListing, Manifest
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.journal import Journal
from batonpass.sync.mirror import Mirror
from batonpass.sync.reading import read_manifest
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.settled import candidate_of
from batonpass.sync.snapshots import commit_held, take_snapshot
from batonpass.sync.stores import open_store

VERSIONS = 4
OVERWRITES = 100
SIZE = 60_000
LATENCY_S = 0.05
"""Long enough for the overwriting to fall into the upload."""
FOLDER = "runs/cats-1f2e3d4c/"


@dataclass
class Torn:
    """How often something was published, how often it was refused, and how much of it was torn."""

    seed: int
    runs: int = 0
    published: int = 0
    refused: int = 0
    overwritten: int = 0
    sent_under_all: int = 0
    """Runs whose file was sent while it was written over a hundred times."""
    torn: int = 0

    def table(self) -> str:
        return (
            f"seed {self.seed}: {self.runs} runs, {self.overwritten} overwrites while a file was taken and sent; "
            f"{self.sent_under_all} uploads under all {OVERWRITES} of them; {self.published} published, {self.refused} refused, {self.torn} torn"
        )


class Trainer(threading.Thread):
    """Writes the file over in place, whole versions one after the other, in two halves so that a torn state exists."""

    def __init__(self, path: Path, versions: list[bytes], seed: int) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.versions = versions
        self.draw = random.Random(seed)
        self.written = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while self.written < OVERWRITES and not self.stopping.is_set():
            self.stopping.wait(self.draw.random() * 0.0008)
            body = self.draw.choice(self.versions)
            with self.path.open("r+b") as file:
                file.write(body[: SIZE // 2])
                file.flush()
                self.stopping.wait(self.draw.random() * 0.0003)
                file.write(body[SIZE // 2 :])
            self.written += 1


def run(runs: int, seed: int) -> Torn:
    """Play so many runs on the emulated Drive."""
    found = Torn(seed)
    with running() as emulator, tempfile.TemporaryDirectory(prefix="torn-") as place:
        settings = Settings(home=Path(place), drive_token=emulator.token(), drive_endpoint=emulator.url)
        emulator.control("settings", latency_s=LATENCY_S)
        drive = open_store("gdrive://batonpass", settings)
        journal = Journal(Path(place) / "journal.sqlite")
        mirror = Mirror(drive, FOLDER, journal)
        for number in range(runs):
            _one(found, number, drive, mirror, Path(place) / "run")
            found.runs += 1
        mirror.close()
        journal.close()
        drive.close()
    return found


def fetch_unchecked(store: Store, folder: str, listing: CheckpointListing, to: Path) -> tuple[Path, Manifest]:
    """What `fetch_checkpoint` brings, without looking at it: for the control."""
    manifest = read_manifest(store, listing.key, store_id=listing.id)
    for entry in manifest.files:
        (to / entry.name).parent.mkdir(parents=True, exist_ok=True)
        with (to / entry.name).open("wb") as out:
            store.fetch(naming.pool_file(folder, entry.pool), out, store_id=entry.id)
    return to, manifest


def _one(found: Torn, number: int, store: Store, mirror: Mirror, place: Path) -> None:
    draw = random.Random(found.seed * 1_000_003 + number)
    versions = [safetensors(draw.randrange(1 << 30), SIZE) for _ in range(VERSIONS)]
    output = place / "output"
    output.mkdir(parents=True)
    path = output / f"step-{number}.safetensors"
    path.write_bytes(versions[0])
    trainer = Trainer(path, versions, number)
    candidate = candidate_of(path)
    late = draw.random() < 0.7  # begins when the file has been taken: a linked one changes under the upload
    if not late:
        trainer.start()
    try:
        held = take_snapshot(candidate, output, place / "held", link=draw.random() < 0.7)
        if late:
            trainer.start()
        draft = Manifest("1f2e3d4c", "20261126t000000-abcdef", 1, number, 0.0, datetime.now(UTC), ())
        directory, manifest = commit_held(place / "checkpoints", draft, [held])
        listing = mirror.send(directory, manifest)
    except BatonpassError:
        found.refused += 1
    else:
        found.published += 1
        back, _ = fetch_checkpoint(store, FOLDER, listing, place / "back")
        (entry,) = manifest.files
        digest = hashlib.sha256((back / naming.check_file_name(entry.name)).read_bytes()).hexdigest()
        whole = {hashlib.sha256(version).hexdigest() for version in versions}
        found.torn += digest != entry.sha256 or digest not in whole
    finally:
        trainer.stopping.set()
        if trainer.is_alive() or trainer.written:
            trainer.join(30)
        found.overwritten += trainer.written
        found.sent_under_all += late and trainer.written >= OVERWRITES
        shutil.rmtree(place)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    args = parser.parse_args()
    found = run(args.runs, args.seed)
    print(found.table())
    return 1 if found.torn else 0


if __name__ == "__main__":
    sys.exit(main())
