"""Damage in every file of the newest checkpoint: whether it is found, and the next session goes on from the one before.

A run is saved twice. A copy of its store is damaged, and another machine (an empty home) starts and attaches through the public door. Beside it the
same damage to files of torch.save, safetensors and DCP, and what their loaders make of it.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from rivals import DcpAsync
from safetensors.torch import load_file, save_file
from tables import render
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException

import batonpass as bp
from batonpass.core.training.commit import write_checkpoint
from batonpass.core.training.read import read_checkpoint
from batonpass.core.training.snapshot import Snapshotter
from checkpoints.ground import digest_of, draft, flat, home, make_state, silent

OLDER, NEWER = 1, 2
Damage = Callable[[bytearray, random.Random], None]


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """1,000 flipped bits, 100 zero holes, 100 cut-off files, and each file emptied, over all files of the checkpoint."""
    counts = {"a flipped bit": 6, "a hole of zeros": 2, "cut off": 2, "empty": 1}
    if not smoke:
        counts = {"a flipped bit": 1000, "a hole of zeros": 100, "cut off": 100, "empty": 20}
    draw = random.Random(seed)
    source = folder / "source"
    _make_run(source, seed)
    rivals = _rivals(folder / "rivals", seed)
    rows = []
    for kind, count in counts.items():
        outcome: Counter[str] = Counter()
        theirs: dict[str, Counter[str]] = {name: Counter() for name in rivals}
        for _ in range(count):
            outcome[_resume_damaged(folder, source, DAMAGES[kind], draw)] += 1
            for name, (path, load, expected) in rivals.items():
                theirs[name][_load_damaged(path, load, expected, DAMAGES[kind], draw)] += 1
        rows.append([kind, str(count), str(outcome["older"]), str(outcome["newer"] + outcome["other"])])
        rows[-1] += [f"{c['found']} / {c['wrong']} / {c['harmless']}" for c in theirs.values()]
    rows.append(["nothing (control)", "1", *_control(folder, source)])
    rows[-1] += [""] * len(rivals)
    head = [
        "damage",
        "times",
        "found, and the older one restored",
        "not",
        *[f"{name}: found / wrong / harmless" for name in rivals],
    ]
    return render(f"Damaged checkpoints, every file of them, seed {seed}", head, rows)


def _flip(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _hole(data: bytearray, draw: random.Random) -> None:
    """Up to a page becomes zeros, as after a crash of a machine; never where there were only zeros before."""
    size = min(4096, len(data))
    for _ in range(1000):
        at = draw.randrange(len(data) - size + 1)
        if any(data[at : at + size]):
            data[at : at + size] = bytes(size)
            return


def _cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(1, len(data)) :]


DAMAGES: dict[str, Damage] = {
    "a flipped bit": _flip,
    "a hole of zeros": _hole,
    "cut off": _cut,
    "empty": lambda data, _: data.clear(),
}


def _parts(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Linear(16, 16)
    return model, torch.optim.AdamW(model.parameters())


def _make_run(folder: Path, seed: int) -> None:
    with home(folder / "home"), silent():
        model, optimizer = _parts(seed)
        run = bp.start("flipped", store=folder / "store", goal_steps=100, seed=seed, save_every_s=1e9)
        run.attach(model=model, optimizer=optimizer)
        for batch in run.steps([torch.ones(2, 16)] * 100):
            if run.step == NEWER + 1:
                break
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()
            run.save()
            if run.step == NEWER:  # the one of the older step is asked for, and on its way
                run._saver.wait(60.0)
                run._active.service.drain(60.0)
        run.finish()


def _files_of_the_newest(store: Path) -> list[Path]:
    (folder,) = (store / "runs").iterdir()
    pool = [path for path in (folder / "files").iterdir() if path.name.partition("-")[0] == str(NEWER)]
    manifests = [path for path in (folder / "checkpoints").iterdir() if path.name.partition("-")[0] == str(NEWER)]
    return sorted([*pool, *manifests])


def _resume_damaged(folder: Path, source: Path, damage: Damage, draw: random.Random) -> str:
    place = folder / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source / "store", place / "store")
    path = draw.choice(_files_of_the_newest(place / "store"))
    data = bytearray(path.read_bytes())
    damage(data, draw)
    path.write_bytes(data)
    return {OLDER: "older", NEWER: "newer"}.get(_resume(place), "other")


def _resume(place: Path) -> int:
    """The step that a start on another machine continues at."""
    with home(place / "another machine"), silent():
        model, optimizer = _parts(99)
        run = bp.start("flipped", store=place / "store", goal_steps=100, save_every_s=1e9)
        run.attach(model=model, optimizer=optimizer)
        step = run.step
        run.leave(*_AWAY)
    return step


def _control(folder: Path, source: Path) -> list[str]:
    place = folder / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source / "store", place / "store")
    step = _resume(place)
    return ["", f"step {step} of {NEWER}"]


def _rivals(folder: Path, seed: int) -> dict[str, tuple[list[Path], Callable[[], dict[str, torch.Tensor]], str]]:
    folder.mkdir()
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    state = make_state(16, 1, seed=seed)
    torch.save({"model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()}, folder / "a.pt")
    save_file({k: v.clone() for k, v in state.tensors().items()}, folder / "a.safetensors")
    dcp = DcpAsync(state.model, state.optimizer, folder)
    dcp.save()
    while not dcp.committed():
        pass
    expected = state.digest()
    with Snapshotter().take(state.attached, {}) as snapshot:  # type: ignore[union-attr]
        ours, _ = write_checkpoint(snapshot, folder, draft(1))
    return {
        "batonpass, its folder on this disk": (
            sorted(ours.iterdir()),
            lambda: _everything(ours),
            digest_of(_everything(ours)),
        ),
        "torch.load": ([folder / "a.pt"], lambda: flat(torch.load(folder / "a.pt", weights_only=True)), expected),
        "safetensors": ([folder / "a.safetensors"], lambda: load_file(folder / "a.safetensors"), expected),
        "DCP": (sorted((folder / "dcp").glob("*.distcp")), lambda: flat(dcp.read()), expected),
    }


def _everything(folder: Path) -> dict[str, torch.Tensor]:
    """What a resume takes from a folder: the tensors, and the texts of trainer.json and of the manifest as they are understood."""
    loaded = read_checkpoint(folder)
    text = f"{loaded.trainer} {loaded.manifest}".encode()
    tensors = {f"{t.file} {t.name}": loaded.tensor(t.file, t.name) for t in loaded.manifest.tensors}
    return {**tensors, "texts": torch.frombuffer(bytearray(text), dtype=torch.uint8)}


def _load_damaged(
    paths: list[Path], load: Callable[[], dict[str, torch.Tensor]], expected: str, damage: Damage, draw: random.Random
) -> str:
    path = draw.choice(paths)
    before = path.read_bytes()
    data = bytearray(before)
    damage(data, draw)
    path.write_bytes(data)
    try:
        with contextlib.redirect_stderr(None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = digest_of(load())
    except (Exception, CheckpointException):  # noqa: BLE001  # whatever a loader says of a damaged file: it has noticed
        return "found"
    finally:
        path.write_bytes(before)
    return "harmless" if found == expected else "wrong"


def _away() -> tuple[object, str]:
    from batonpass.core.model import EndKind

    return EndKind.CLOSED, "looked at"


_AWAY = _away()
