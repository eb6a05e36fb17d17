"""SIGKILL at random instants within a save (`write_points.py` kills at each place where a save writes).

The process is stopped from outside while a save is under way, says what it was at, and is killed standing there; a kill that did not land in
a save does not count. Then: does a new process on the machine resume, from the last save that was whole or a newer one, with the very bits of that step; and does the store alone give back what was called durable.
Beside it `torch.save`, in place and with a rename, killed within their saves.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from tables import render

import batonpass as bp
from checkpoints.ground import State, home, make_state, silent

WIDTH, LAYERS = 128, 4
GOAL = 10**6
ARMED_AT = 3
"""Kills land after so many steps: then there are saves to fall back to."""
PATIENCE_S = 60.0


class Board:
    """Memory that survives its writer: what the process was at when it died."""

    FIELDS = ("step", "whole", "durable", "in_save")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 * len(self.FIELDS))

    def __getitem__(self, name: str) -> int:
        return int(struct.unpack_from("q", self._memory, 8 * self.FIELDS.index(name))[0])

    def __setitem__(self, name: str, value: int) -> None:
        struct.pack_into("q", self._memory, 8 * self.FIELDS.index(name), value)


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """200 kills, and 100 of each rival."""
    kills, theirs = (2, 2) if smoke else (200, 100)
    draw = random.Random(seed)
    outcome: Counter[str] = Counter()
    while outcome["kills"] < kills:
        found = _one(folder / "ours", seed, after_s=draw.uniform(0.0, 0.25))
        outcome["kills"] += bool(found)
        outcome.update(found)
    rows = [
        [
            "batonpass",
            str(outcome["kills"]),
            str(outcome["kills"] - outcome["resumed"]),
            str(outcome["behind"]),
            str(outcome["other bits"]),
            str(outcome["durable lost"]),
        ]
    ]
    for name, save in {"torch.save in place": _in_place, "torch.save, then rename": _renamed}.items():
        unreadable = _kill_rival(folder / name, save, theirs, draw)
        rows.append([name, str(theirs), str(unreadable), "-", "-", "-"])
    head = [
        "",
        "kills in a save",
        "nothing loadable",
        "more than one interval lost",
        "other bits",
        "durable, and not on the store",
    ]
    return render(f"Killed within a save, seed {seed}", head, rows)


def _one(place: Path, seed: int, *, after_s: float) -> Counter[str]:
    """One process, killed, and what is left; empty when the kill did not land in a save."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    board = Board()
    child = _fork(lambda: _train(place, seed, board))
    _wait_for(lambda: board["step"] >= ARMED_AT)
    time.sleep(after_s)
    os.kill(child, signal.SIGSTOP)  # first stand still: then what it was at is what it dies at
    os.waitpid(child, os.WUNTRACED)
    landed = board["in_save"] > 0
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process ended by itself"
    if not landed:
        return Counter()
    return _look(place, seed, board)


def _look(place: Path, seed: int, board: Board) -> Counter[str]:
    digests = dict(line.split() for line in (place / "digests").read_text().splitlines())
    found: Counter[str] = Counter()
    with home(place / "elsewhere"), silent():
        brought = bp.restore("killed", store=place / "store", to=place / "brought")
    found["durable lost"] += json.loads((brought / "manifest.json").read_bytes())["step"] < board["durable"]
    result = place / "result"
    child = _fork(lambda: _resume(place, seed, result))
    _, status = os.waitpid(child, 0)
    if status or not result.exists():
        return found
    step, digest = result.read_text().split()
    found["resumed"] += 1
    found["behind"] += int(step) < board["whole"]
    found["other bits"] += digests.get(step, digest) != digest
    return found


def _train(place: Path, seed: int, board: Board) -> None:
    """Save as often as the writer allows, until killed."""
    from batonpass.core.training import commit
    from batonpass.sync.mirror import Mirror

    commit.write_checkpoint = _watched(commit.write_checkpoint, board)
    Mirror.send = _watched(Mirror.send, board)  # type: ignore[method-assign]
    state = make_state(WIDTH, LAYERS, seed=seed)
    with home(place / "home"), silent():
        run = bp.start("killed", store=place / "store", goal_steps=GOAL, seed=seed, save_every_s=0.0, sync_every_s=0.05)
        run.attach(model=state.model, optimizer=state.optimizer)
        digests = (place / "digests").open("a", buffering=1)
        for _ in run.steps([torch.zeros(1)] * 100):
            saver, service = run._saver, run._active.service
            board["whole"] = saver.committed.step if saver.committed else 0
            board["durable"] = service.durable.step if service.durable else 0
            board["step"] = run.step - 1
            state.step()
            digests.write(f"{run.step} {state.digest()}\n")
            time.sleep(0.01)


def _resume(place: Path, seed: int, result: Path) -> None:
    state = make_state(WIDTH, LAYERS, seed=seed + 1)
    with home(place / "home"), silent():
        run = bp.start("killed", store=place / "store", goal_steps=GOAL, save_every_s=1e9)
        run.attach(model=state.model, optimizer=state.optimizer)
    result.write_text(f"{run.step} {state.digest()}")


def _watched(function: Callable[..., object], board: Board) -> Callable[..., object]:
    def watched(*arguments: object, **more: object) -> object:
        board["in_save"] += 1
        try:
            return function(*arguments, **more)
        finally:
            board["in_save"] -= 1

    return watched


def _kill_rival(place: Path, save: Callable[[State, Path], None], count: int, draw: random.Random) -> int:
    """How often nothing could be loaded after a kill within a save."""
    place.mkdir(parents=True)
    path, unreadable, landed = place / "last.pt", 0, 0
    while landed < count:
        board = Board()
        child = _fork(lambda: _save_for_ever(save, path, board))  # noqa: B023  # forked at once
        _wait_for(lambda: board["step"] >= ARMED_AT)  # noqa: B023  # waited for here
        time.sleep(draw.uniform(0.0, 0.05))
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        in_save = board["in_save"] > 0
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if in_save:
            landed += 1
            unreadable += not _loads(path)
    return unreadable


def _save_for_ever(save: Callable[[State, Path], None], path: Path, board: Board) -> None:
    state = make_state(WIDTH, LAYERS)
    while True:
        state.step()
        board["in_save"] = 1
        save(state, path)
        board["in_save"] = 0
        board["step"] += 1


def _in_place(state: State, path: Path) -> None:
    torch.save({"model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()}, path)


def _renamed(state: State, path: Path) -> None:
    _in_place(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _loads(path: Path) -> bool:
    try:
        torch.load(path, weights_only=True)
    except Exception:  # noqa: BLE001  # whatever it says: it does not load
        return False
    return True


def _fork(work: Callable[[], None]) -> int:
    """A process that has torch already. Its own threads are its own."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # said, and then this process ends whatever it was
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the process does not get on")
        time.sleep(0.002)
