"""What Batonpass takes of a training in ten minutes, at the interval that it tunes itself and with everything sent to a store.

    python bench/checkpoints/overhead.py

(The wait of the training for its saves + processor seconds of every thread of ours) / all processor seconds of the process. What `run.steps` and
`run.log` take on the training's own thread is another question: see `bench/demo_overhead.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BENCH = Path(__file__).parents[1]
sys.path.insert(0, str(BENCH))

FULL_S, SMOKE_S = 600.0, 5.0


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """Train in a process of its own; returns the table."""
    lasts_s = SMOKE_S if smoke else FULL_S
    command = [sys.executable, __file__, "--train", str(folder), "--lasts", str(lasts_s), "--seed", str(seed)]
    if smoke:
        command.append("--small")
    home = {"BATONPASS_HOME": str(folder / "home")}
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.partition("TABLE\n")[2]


def train(folder: Path, *, lasts_s: float, seed: int, small: bool) -> str:
    """Train for so long; what was used, by whom."""
    from big_training import BigTraining
    from tables import render

    width, layers = (128, 2) if small else (1024, 20)
    training = BigTraining(folder / "store", width=width, layers=layers, seed=seed, save_every_s=None)
    saver, began, used = training.run._saver, time.monotonic(), _cpu_by_thread()
    stalls: list[float] = []
    tell = saver.cadence.taken
    saver.cadence.taken = lambda stall_s: (stalls.append(stall_s), tell(stall_s))[0]
    steps = 0
    while time.monotonic() - began < lasts_s:
        training.steps(1)
        steps += 1
    now = _cpu_by_thread()
    spent = {name: now[name] - used.get(name, 0.0) for name in now}
    ours = {name: seconds for name, seconds in spent.items() if name.startswith("batonpass")}
    everything = sum(spent.values())
    status = training.run.status()
    training.close()
    share = (sum(stalls) + sum(ours.values())) / everything
    rows = [
        ["seconds, steps", f"{time.monotonic() - began:.0f}, {steps}"],
        ["saves, the training waited for them", f"{len(stalls)}, {sum(stalls) * 1e3:.0f} ms"],
        ["interval at the end", status.saves],
        ["newest on the store", f"step {status.durable_step}, {status.durable_age_s or 0:.0f} s old"],
        *[[f"processor, {name}", f"{seconds:.2f} s"] for name, seconds in sorted(ours.items()) if seconds >= 0.005],
        ["processor, all of the process", f"{everything:.1f} s"],
        ["**(waits + ours) / all**", f"**{share:.2%}**"],
    ]
    return render(
        f"Ten minutes at the tuned interval, everything sent (a state of {training.state_bytes / 1e6:.0f} MB)",
        ["", ""],
        rows,
    )


def _cpu_by_thread() -> dict[str, float]:
    """Processor seconds so far of each Python thread by its name, and of all others together (torch's own)."""
    import psutil

    names = {t.native_id: t.name for t in threading.enumerate()}
    spent: dict[str, float] = {}
    for thread in psutil.Process().threads():
        name = names.get(thread.id, "others")
        spent[name] = spent.get(name, 0.0) + thread.user_time + thread.system_time
    return spent


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--lasts", type=float, default=FULL_S, help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train is not None:
        import torch

        torch.set_num_threads(1)
        table = train(arguments.train, lasts_s=arguments.lasts, seed=arguments.seed, small=arguments.small)
        print("TABLE", table, sep="\n")
        return
    with tempfile.TemporaryDirectory(prefix="batonpass-bench-") as name:
        print(measure(Path(name), smoke=arguments.smoke, seed=arguments.seed))


if __name__ == "__main__":
    main()
