"""Kills the demo's training at random steps, lets another process finish it, and compares the final weights.

    python bench/kill_sweep.py --kills 20 --seed 1

After each kill every checkpoint that the store calls durable is restored into an empty folder and its hashes are compared. Prints one
line per kill and exits non-zero when any promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from batonpass.demo.proof import check_durable
from batonpass.demo.relay import Stage, run_leg, start_reference
from batonpass.sync.stores import open_store


def main() -> int:
    """Run the sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        output, _ = start_reference(Stage(home / "whole", arguments.steps)).communicate()
        expected = output.split()[-1]
        print(f"uninterrupted: {expected[:16]}   seed {arguments.seed}, {arguments.steps} steps\n")
        print(f"{'kill':>4} {'at step':>8} {'durable':>8} {'newest':>7} {'restore':>8} {'weights':>8}")
        for number in range(1, arguments.kills + 1):
            stage = Stage(home / str(number), arguments.steps)
            first = run_leg(stage, 1, rng.randint(1, arguments.steps - 1))
            durable = check_durable(open_store(stage.store))
            second = run_leg(stage, 2, None)
            equal = second.weights == expected
            broken += not equal or not durable.holds
            print(
                f"{number:>4} {first.killed_at or 'too late':>8} {durable.promised:>8} {durable.newest_step:>7} "
                f"{'whole' if durable.holds else 'BROKEN':>8} {'equal' if equal else 'DIFFER':>8}",
                flush=True,
            )
    print(
        f"\n{arguments.kills - broken} of {arguments.kills} kills: every durable checkpoint restores, final weights bit-identical"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
