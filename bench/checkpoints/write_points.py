"""SIGKILL right before and right after every write, sync, rename and database call of a save, and what is there afterwards.

`killed.py` kills at random instants instead. Here the process is seen standing still at the point first.

For Batonpass a whole training is killed while a save is written, sent and published, and the next session resumes through the public
door: every second one on the same machine, the others on a new one, which has nothing but the store.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tables import render

from checkpoints import forked, resuming
from checkpoints.forked import Pipe, stand_still
from checkpoints.ground import digest_of, flat, make_state
from checkpoints.writing import WritePoints

RIVALS = ("torch.save in place", "torch.save aside + rename")


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """As many kills for the rivals as for ours; every point of an unkilled save in turn, drawn again once all were used."""
    os.environ["BATONPASS_LEASE_S"] = "1"
    resuming.preload()
    kills = 6 if smoke else 200
    rows, notes = [], []
    for name, attempt in (("batonpass", _ours), *((r, _theirs) for r in RIVALS)):
        outcomes, places = _sweep(folder / name.replace(" ", "-"), name, attempt, kills, seed)
        rows.append(
            [name, *(str(outcomes[k]) for k in ("kills", "points", "newest", "previous", "nothing", "unreadable"))]
        )
        if name == "batonpass":
            notes = [f"- {count} x {place}" for place, count in sorted(places.items())]
    title = f"SIGKILL at the points where a save writes, seed {seed} (goal: always the newest or the one before it)"
    head = ["", "kills, landed", "different points", "the newest", "the one before", "another or none", "an error"]
    where = "Where the kills of `batonpass` landed (seen standing there, stopped, before SIGKILL):\n\n" + "\n".join(
        notes
    )
    return render(title, head, rows) + where + "\n"


Attempt = Callable[[Path, str, int | None, bool], tuple[forked.Ended, str]]


def _sweep(folder: Path, name: str, attempt: Attempt, kills: int, seed: int) -> tuple[Counter[str], Counter[str]]:
    folder.mkdir()
    draw = random.Random(seed)
    whole, _ = attempt(folder / "whole", name, None, False)
    points = list(range(int(whole.answer)))
    outcomes: Counter[str] = Counter()
    places: Counter[str] = Counter()
    chosen: set[int] = set()
    waiting: list[int] = []
    while outcomes["kills"] < kills:
        waiting = waiting or draw.sample(points, len(points))
        number = waiting.pop()
        ended, outcome = attempt(folder / "one", name, number, outcomes["kills"] % 2 == 1)
        shutil.rmtree(folder / "one")
        if not ended.killed_at:
            outcomes["missed"] += 1
            if outcomes["missed"] > kills:
                raise RuntimeError("most kills miss: the points are not where they were")
            continue  # this time the save had fewer points
        chosen.add(number)
        outcomes["kills"] += 1
        outcomes[outcome] += 1
        places[ended.killed_at.partition(":")[0]] += 1
    outcomes["points"] = len(chosen)
    return outcomes, places


# Ours, through the public door


def _ours(folder: Path, _name: str, stop_at: int | None, elsewhere: bool) -> tuple[forked.Ended, str]:
    folder.mkdir()
    ended = forked.run(lambda pipe: _train_and_save(folder, stop_at, pipe))
    if not ended.killed_at:
        return ended, ""
    home = folder / ("elsewhere" if elsewhere else "home")
    found = forked.run(lambda _pipe: resuming.resume(folder / "store", home)).answer
    if found["error"]:
        return ended, "unreadable"
    expected = json.loads((folder / "expected").read_text())
    right = expected.get(str(found["step"])) == found["weights"]
    return ended, {2: "newest", 1: "previous"}.get(found["step"], "nothing") if right else "nothing"


def _train_and_save(folder: Path, stop_at: int | None, pipe: Pipe) -> int:
    points = WritePoints(stop_at, lambda place: stand_still(pipe, place))
    objects = resuming.build()
    run = resuming.open_run(folder / "store", folder / "home")
    run.attach(**objects)
    expected = {}
    batches = resuming.begin(run)
    for step in (1, 2):
        expected[str(step)] = resuming.body(objects)
        (folder / "expected").write_text(json.dumps(expected))
        if step == 2:
            points.arm()
        resuming.save(run, batches)
    points.disarm()
    return len(points.seen)


# The others


class CountedFile(io.FileIO):
    """Where torch.save writes, each of its writes a point."""

    points: WritePoints

    def write(self, data: Any) -> int:
        """As the file's own."""
        self.points.point("torch.save: before write")
        return super().write(data)


def _theirs(folder: Path, name: str, stop_at: int | None, _elsewhere: bool) -> tuple[forked.Ended, str]:
    folder.mkdir()
    ended = forked.run(lambda pipe: _save_theirs(folder, name, stop_at, pipe))
    if not ended.killed_at:
        return ended, ""
    expected = json.loads((folder / "expected").read_text())
    try:
        found = digest_of(flat(torch.load(folder / "last.pt", weights_only=True)))
    except Exception:  # noqa: BLE001  # whatever it raises, it is not there
        return ended, "unreadable"
    return ended, {expected[1]: "newest", expected[0]: "previous"}.get(found, "nothing")


def _save_theirs(folder: Path, name: str, stop_at: int | None, pipe: Pipe) -> int:
    points = WritePoints(stop_at, lambda place: stand_still(pipe, place))
    state = make_state(96, 3)
    expected = []
    for number in (1, 2):
        state.step()
        expected.append(state.digest())
        (folder / "expected").write_text(json.dumps(expected))
        if number == 2:
            points.arm()
        path = folder / ("last.pt" if name == RIVALS[0] else "aside.pt")
        with CountedFile(path, "w") as file:
            file.points = points
            torch.save({"model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()}, file)
        if name != RIVALS[0]:
            path.replace(folder / "last.pt")
    points.disarm()
    return len(points.seen)
