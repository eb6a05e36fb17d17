"""How long one logged value keeps the training waiting, a thousand times a second, while 250 MB are being brought away and segments are sealed."""

from __future__ import annotations

from pathlib import Path

from app.rivals_process import RivalsProcess
from big_training import BigTraining
from metric_log import BIG, SMALL, _paced
from tables import percentile, render

CALLS = 100_000
PIECE = 1000


def measure(folder: Path, *, smoke: bool, seed: int, rivals: Path | None) -> str:
    """One table. Each rival logs in a process of its own, one after the other, each beside an upload in that process."""
    calls = 2000 if smoke else CALLS
    times = {"run.log": ours(folder, calls, smoke=smoke, seed=seed)}
    for rival, word in {"TensorBoard, SummaryWriter": "pace tensorboard", "trackio.log": "pace trackio"}.items():
        if rivals is not None:
            with RivalsProcess(rivals, folder / word.split()[1], calls=calls) as process:
                times[rival] = process.ask(word)
    rows = []
    base = percentile(times["run.log"], 0.99)
    for name, taken in times.items():
        points = [percentile(taken, share) for share in (0.5, 0.99, 0.999)]
        rows.append([name, f"{points[1] / base:.2f}", *(f"{p / 1e3:.0f}" for p in (*points, max(taken)))])
    head = ["µs per call", "p99 against run.log", "p50", "p99", "p99.9", "max"]
    return render(f"One value at 1 kHz beside an upload, {calls:,} calls each", head, rows)


def ours(folder: Path, calls: int, *, smoke: bool, seed: int) -> list[int]:
    """Through the public door, while saves of the whole state follow one another onto a folder store; segments are sealed as they come."""
    width, layers = SMALL if smoke else BIG
    training = BigTraining(folder / "store", width=width, layers=layers, seed=seed)
    _paced(lambda: training.run.log(loss=0.25), 200)  # warm
    times: list[int] = []
    while len(times) < calls:
        if training.stored:
            training.step()
            training.save()
        times += _paced(lambda: training.run.log(loss=0.25), min(PIECE, calls - len(times)))
    dropped = training.run.joined.log.dropped
    problems = training.close()
    assert not dropped, dropped
    assert not problems, problems
    return times
