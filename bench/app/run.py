"""What the app's curves and the metric log cost, beside named rivals in their own interpreter.

python bench/app/run.py --rivals RIVALS/bin/python      everything; RIVALS has: pip install trackio tensorboard tensorboardX
python bench/app/run.py --only curves                   ours alone
python bench/app/run.py --quick                         tiny, only to see that it runs
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [p for p in sys.path if Path(p or ".").resolve() != HERE]
sys.path.insert(0, str(HERE.parent))

import machine  # noqa: E402
from app import long_views, paced_log  # noqa: E402

MEASURES = {"curves": long_views.measure, "log": paced_log.measure}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="some of the measures")
    parser.add_argument("--rivals", type=Path, help="an interpreter that has the rivals")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: says nothing but that it runs")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--folder", type=Path, help="where files are written (default: the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="batonpass-bench-") as name:
        print(machine.describe(Path(name)), machine.load(), "", sep="\n", flush=True)
        for measure in asked.only or MEASURES:
            place = Path(name) / measure
            place.mkdir()
            print(MEASURES[measure](place, smoke=asked.quick, seed=asked.seed, rivals=asked.rivals))
            print(f"({measure}; {machine.load()})\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
