"""Kills the syncing process at random moments while the network misbehaves, and looks each time at what the store holds.

PYTHONPATH=.typelink:tests python -m soak.kills --kills 300 --seed 7
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drive_emulator.process import Emulator, running

from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.reading import RunFiles, find_run_folder, read_run
from batonpass.sync.restore import fetch_checkpoint
from batonpass.sync.stores import open_store
from soak.syncing import content

LINK_BYTES_PER_S = 30 << 20
STORM = (
    {"kind": "answer", "status": 503},
    {"kind": "answer", "status": 502, "html": True},
    {"kind": "answer", "status": 429, "reason": "rateLimitExceeded"},
    {"kind": "answer", "status": 403, "reason": "userRateLimitExceeded"},
    {"kind": "reset", "after_bytes": 70_000},
    {"kind": "lost", "status": 503},
    {"kind": "lost", "status": 0},
    {"kind": "short", "op": "upload.put", "keep_bytes": 1 << 20},
    {"kind": "gone", "op": "upload.put", "status": 404},
)
"""Each strikes three calls in a hundred."""


@dataclass
class Campaign:
    """What was killed, where it was then, and what was found afterwards."""

    seed: int
    kills: int = 0
    at: Counter[str] = field(default_factory=Counter)
    restored: int = 0
    faults: int = 0
    journals_removed: int = 0
    published: int = 0
    """Of the newest look: the highest step that was ever durable."""
    checked: set[str] = field(default_factory=set)

    def table(self) -> str:
        where = ", ".join(f"{count} {place}" for place, count in self.at.most_common())
        return (
            f"seed {self.seed}: {self.kills} kills ({where}), {self.faults} faults struck, journal removed {self.journals_removed} times; "
            f"{self.restored} checkpoints called durable were restored, each equal; newest step {self.published}"
        )


def run(kills: int, seed: int, *, careless: bool = False) -> Campaign:
    """Play a campaign. AssertionError, or whatever a restore raises, where something durable is not what it should be. `careless`
    plays it with a mirror that lists what it did not send: the control.
    """
    campaign = Campaign(seed)
    draw = random.Random(seed)
    with running() as emulator, tempfile.TemporaryDirectory(prefix="soak-") as place:
        home = Path(place) / "home"
        token = emulator.token()
        environment = _environment(emulator, token) | ({"SOAK_CARELESS": "1"} if careless else {})
        store = open_store(
            "gdrive://batonpass", Settings(home=Path(place) / "laptop", drive_token=token, drive_endpoint=emulator.url)
        )
        emulator.control("seed", seed=seed)
        emulator.control("settings", link_bytes_per_s=LINK_BYTES_PER_S)
        try:
            for _ in range(kills):
                with _storm(emulator):
                    _kill_one(home, campaign, environment, draw)
                campaign.at[_where(home)] += 1
                campaign.kills += 1
                _look(store, campaign, Path(place))
                if draw.random() < 0.05:
                    campaign.journals_removed += _remove_journals(home)
        finally:
            store.close()
        campaign.faults = sum(emulator.control("struck").values())
    return campaign


def _environment(emulator: Emulator, token: str) -> dict[str, str]:
    here = Path(__file__).resolve().parent.parent
    paths = [str(here.parent / ".typelink"), str(here)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "BATONPASS_DRIVE_TOKEN": token,
        "BATONPASS_DRIVE_ENDPOINT": emulator.url,
    }


@contextlib.contextmanager
def _storm(emulator: Emulator) -> Iterator[None]:
    for fault in STORM:
        emulator.control("fault", **{"op": r"(?!token|sign_in).*", **fault, "chance": 0.03, "times": 0})
    try:
        yield
    finally:
        emulator.control("clear_faults")


def _kill_one(home: Path, campaign: Campaign, environment: dict[str, str], draw: random.Random) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "soak.syncing", str(home), str(campaign.published)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    try:
        if draw.random() < 0.9:  # else it dies while it starts
            line = child.stdout.readline()
            assert line or child.poll() is not None
        time.sleep(draw.uniform(0.0, 1.2))
    finally:
        alive = child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait(30)
        child.stdout.close()
    campaign.at["not running any more"] += not alive
    campaign.kills -= not alive


def _where(home: Path) -> str:
    """Where the process was, as its journal tells: the proof that the kill landed in the middle of something."""
    states: Counter[str] = Counter()
    for journal in home.rglob("journal.sqlite"):
        with contextlib.closing(sqlite3.connect(journal)) as db:
            states.update(dict(db.execute("SELECT state, COUNT(*) FROM artifact GROUP BY state").fetchall()))
            states["half"] += db.execute("SELECT COUNT(*) FROM artifact WHERE token IS NOT NULL").fetchone()[0]
    if states["half"]:
        return "inside an upload session"
    if states["sending"]:
        return "inside a small upload"
    return "between sending and publishing" if states["committed"] or states["verified"] else "elsewhere"


def _look(store: Store, campaign: Campaign, place: Path) -> None:
    """Restore everything that is called durable and was not looked at before, and the newest again."""
    run = _read(store)
    if run is None:
        return
    durable = [c for s in run.sessions for c in s.session.checkpoints if c.proven and c.key not in run.deleted]
    newest = max(durable, key=lambda c: c.step, default=None)
    for listing in durable:
        if listing.key in campaign.checked and listing is not newest:
            continue
        to = place / "look"
        folder, _ = fetch_checkpoint(store, run.folder, listing, to)
        assert (folder / "model.safetensors").read_bytes() == content(listing.step), f"step {listing.step} is another's"
        shutil.rmtree(to)
        campaign.checked.add(listing.key)
        campaign.restored += 1
    if newest is not None:
        assert newest.step >= campaign.published, f"step {campaign.published} was durable, now only {newest.step} is"
        campaign.published = newest.step


def _read(store: Store) -> RunFiles | None:
    try:
        run = read_run(store, find_run_folder(store, "cats"))
    except Exception as error:
        if type(error).__name__ == "RunNotFoundError":
            return None
        raise
    assert not run.broken, run.broken
    return run


def _remove_journals(home: Path) -> int:
    """It may be deleted at any time."""
    journals = list(home.rglob("journal.sqlite*"))
    for path in journals:
        path.unlink()
    return bool(journals)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    print(run(args.kills, args.seed).table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
