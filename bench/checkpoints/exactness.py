"""Does a training that was killed and resumed end with the very same bits? Real processes, real SIGKILL, at random steps.

    python bench/checkpoints/exactness.py --seed 1

Every stop is a training of its own: it is killed at a random step and continued in a new process, and its final weights are compared with
those of the same way of saving without a stop (ours: without a stop *and* without workers). Our second process begins its random streams
elsewhere; the rivals' begins them with the same torch.manual_seed, which is kinder to them. They save after each step, so what they lose
is never work, only exactness. The negative control is ours with the restored random streams thrown away: were it equal, the comparison
would be blind.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.append(str(HERE.parent))

from tables import render  # noqa: E402

TITLE = "Final weights after SIGKILL and resume, beside those without a stop"
HEAD = ("", "workers", "stops", "same sha256", "in the first epoch", "later")
WAYS = {
    "ours": "run.steps, run.attach",
    "streams lost": "ours, random streams left out (must differ)",
    "skip": "torch.save + skip batches",
    "stateful": "torch.save + StatefulDataLoader",
}
OURS = {"ours", "streams lost"}
BATCHES = 12
"""Per epoch, in `exact_training`."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is tried: stops for each number of workers."""

    steps: int
    stops: int
    rival_stops: int
    control_stops: int
    workers: tuple[int, ...]


FULL = Size(steps=48, stops=8, rival_stops=3, control_stops=2, workers=(0, 2, 4))
SMOKE = Size(steps=16, stops=1, rival_stops=1, control_stops=1, workers=(0,))


@dataclass(frozen=True, slots=True)
class Stop:
    """One kill: the step that the next process continued after, and whether the end was the same."""

    at: int
    equal: bool


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """A Markdown table; a line beginning with PROBLEM under it when ours differed, or the negative control did not."""
    size, rng = SMOKE if smoke else FULL, random.Random(seed)
    ways = [w for w in WAYS if w != "stateful" or importlib.util.find_spec("torchdata")]
    rows, problems, ours = [], [], _session(folder / "whole", "ours", 0, size.steps).weights
    for way in ways:
        for workers in size.workers:
            place = folder / f"{way.replace(' ', '-')}-{workers}"
            whole = ours if way in OURS else _session(place / "whole", way, workers, size.steps).weights
            stops = list(_stops(place, way, workers, size, rng, whole))
            rows.append(_row(way, workers, stops))
            problems += _problems(way, workers, stops)
    notes = [] if "stateful" in ways else ["StatefulDataLoader: not installed here, not tried."]
    return "\n".join([render(TITLE, HEAD, rows), *notes, *problems])


def _stops(place: Path, way: str, workers: int, size: Size, rng: random.Random, whole: str) -> Iterator[Stop]:
    count = {"ours": size.stops, "streams lost": size.control_stops}.get(way, size.rival_stops)
    for number in range(count):
        leg = place / str(number)
        killed = _session(leg, way, workers, size.steps, kill_at=rng.randint(5, size.steps - 3))
        again = _session(leg, way, workers, size.steps, machine=number + 1 if way in OURS else 0)
        if not again.began:
            raise ChildProcessError(f"{way}: killed at step {killed.step}, nothing was continued")
        yield Stop(again.began, again.weights == whole)


@dataclass(frozen=True, slots=True)
class _Session:
    began: int
    """The step that it continued after; 0 for a beginning."""
    step: int
    weights: str


def _session(
    folder: Path, way: str, workers: int, steps: int, *, machine: int = 0, kill_at: int | None = None
) -> _Session:
    """One process, killed as soon as it has printed step `kill_at`. ChildProcessError when it ends by itself with an error."""
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, str(HERE / "exact_training.py"), way, "--folder", str(folder)]
    command = [*program, "--workers", str(workers), "--steps", str(steps), "--machine", str(machine)]
    own = {
        "BATONPASS_HOME": str(folder / f"home-{machine}-{kill_at}"),
        "BATONPASS_LEASE_S": "0.5",
        "OMP_NUM_THREADS": "1",
    }
    began, step, weights, lines = -1, 0, "", []
    with subprocess.Popen(
        command, env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            word, _, rest = line.strip().partition(" ")
            if word == "weights":
                weights = rest
            elif word == "step":
                step = int(rest)
                began = step - 1 if began < 0 else began
                if step == kill_at:
                    process.kill()
    if weights or (kill_at is not None and process.returncode < 0):
        return _Session(began, step, weights)
    raise ChildProcessError("".join(lines[-30:]))


def _row(way: str, workers: int, stops: list[Stop]) -> list[str]:
    early, late = [s for s in stops if s.at < BATCHES], [s for s in stops if s.at >= BATCHES]
    return [WAYS[way], str(workers), str(len(stops)), *map(_share, (stops, early, late))]


def _share(stops: list[Stop]) -> str:
    return f"{sum(s.equal for s in stops)} of {len(stops)}" if stops else "-"


def _problems(way: str, workers: int, stops: list[Stop]) -> list[str]:
    if way == "ours":
        return [
            f"PROBLEM: ours with {workers} workers, killed at step {s.at}: other weights" for s in stops if not s.equal
        ]
    if way == "streams lost":
        return [f"PROBLEM: the control with {workers} workers, step {s.at}: not noticed" for s in stops if s.equal]
    return []


def main() -> int:
    """Print the table; 1 when there was a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the steps at which it is killed")
    parser.add_argument("--smoke", action="store_true", help="one stop each, without workers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as name:
        table = measure(Path(name), smoke=asked.smoke, seed=asked.seed)
    print(table)
    return 1 if "PROBLEM" in table else 0


if __name__ == "__main__":
    sys.exit(main())
