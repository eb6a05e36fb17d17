"""All comparisons, as Markdown tables: what docs/BENCHMARKS.md quotes.

    python bench/run.py                     everything, some ninety minutes
    python bench/run.py --only saving       one of: saving, log, overhead, checkpoints, drive
    python bench/run.py --smoke             everything, tiny, in seconds: only to see that it runs

Figures depend on the machine; compare the ratios of one run with each other, and nothing across runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import demo_overhead
import machine
import metric_log
import saving
import torch
from checkpoints import run as checkpoints
from drive import run as drive

BENCHES = {
    "saving": saving.measure,
    "log": metric_log.measure,
    "overhead": demo_overhead.measure,
    "checkpoints": checkpoints.measure,
    "drive": drive.measure,
}


SLOW = ("checkpoints",)
"""Minutes even when tiny: a smoke run leaves them out unless they are asked for; `bench/checkpoints/run.py --quick` has its own."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=BENCHES, help="one of the comparisons")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: shows that it runs, says nothing about speed")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the rivals, the data and the weights")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of the training (default 1)")
    parser.add_argument(
        "--folder", type=Path, help="where everything is written (default: the system's folder for temporary files)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="batonpass-bench-") as name:
        folder = Path(name)
        print(machine.describe(folder), machine.load(), "", sep="\n", flush=True)
        for bench in (
            [arguments.only] if arguments.only else [b for b in BENCHES if not (arguments.smoke and b in SLOW)]
        ):
            place = folder / bench
            place.mkdir()
            os.environ["BATONPASS_HOME"] = str(place / "home")
            started = time.monotonic()
            print(BENCHES[bench](place, smoke=arguments.smoke, seed=arguments.seed))
            print(f"({bench}: {time.monotonic() - started:.0f} s; {machine.load()})\n", flush=True)
    if arguments.smoke:
        print("A smoke run: the sizes are tiny and the figures mean nothing.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
