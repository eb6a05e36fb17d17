"""What checkpoints are worth, promise by promise, beside named rivals.

python bench/checkpoints/run.py                       every measure
python bench/checkpoints/run.py --only torn flipped   some of them
python bench/checkpoints/run.py --quick               everything, tiny, in seconds: only to see that it runs
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

import machine  # noqa: E402
import torch  # noqa: E402

from checkpoints import (  # noqa: E402
    compression,
    exactness,
    flipped,
    killed,
    memory,
    opened,
    overhead,
    restored,
    retained,
    shared_base,
    torn,
    write_points,
)

MEASURES = {
    "torn": torn.measure,
    "killed": killed.measure,
    "write_points": write_points.measure,
    "flipped": flipped.measure,
    "restored": restored.measure,
    "memory": memory.measure,
    "shared_base": shared_base.measure,
    "compression": compression.measure,
    "opened": opened.measure,
    "retained": retained.measure,
    "exactness": exactness.measure,
    "overhead": overhead.measure,
}


def run(folder: Path, names: list[str], *, smoke: bool, seed: int) -> None:
    """Print each measure's table as it is ready."""
    for name in names:
        place = folder / name
        place.mkdir(parents=True)
        started = time.monotonic()
        print(MEASURES[name](place, smoke=smoke, seed=seed))
        print(f"({name}: {time.monotonic() - started:.0f} s, seed {seed}; {machine.load()})\n", flush=True)


def measure(folder: Path, *, smoke: bool, seed: int) -> str:
    """As one of the comparisons of bench/run.py."""
    run(folder, list(MEASURES), smoke=smoke, seed=seed)
    return ""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="some of the measures")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: says nothing but that it runs")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--folder", type=Path, help="where files are written (default: the system's temporary folder)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="batonpass-bench-") as name:
        print(machine.describe(Path(name)), machine.load(), "", sep="\n", flush=True)
        run(Path(name), arguments.only or list(MEASURES), smoke=arguments.quick, seed=arguments.seed)
    if arguments.quick:
        print("A quick run: the sizes are tiny and the figures mean nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
