"""`batonpass demo`: plays the relay, prints where each machine died and what the next one restored, and proves the result."""

from __future__ import annotations

import argparse
import importlib.util
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from batonpass.core.errors import UsageError
from batonpass.core.settings import read_settings
from batonpass.demo.proof import Durability, check_durable
from batonpass.demo.relay import Leg, Stage, draw_kills, run_leg, start_reference
from batonpass.sync.stores import open_store

STEPS = 400
KILLS = 3
_MARK = ".batonpass-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--home",
        type=Path,
        help="where the demo plays (default: a folder of its own in your user data; it is emptied first)",
    )
    parser.add_argument("--no-app", action="store_true", help="do not open the app on the result")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the steps at which the machines die (default: another one each time)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 when every proof holds."""
    _need_training()
    started = time.monotonic()
    seed = random.SystemRandom().randrange(10_000) if arguments.seed is None else arguments.seed
    stage = Stage(_empty_home(arguments.home or read_settings().home / "demo"), STEPS)
    print(f"One training of {STEPS} steps on scikit-learn's digits; its machine dies {KILLS} times (seed {seed}).")
    print(f"Everything lies in {stage.home}\n")
    reference = start_reference(stage)
    try:
        final = _play(stage, draw_kills(STEPS, KILLS, random.Random(seed)))
        print("\nwaiting for the same training, uninterrupted, to end ...", flush=True)
        output, _ = reference.communicate()
    finally:
        reference.kill()
    expected = next(
        (line.removeprefix("weights ") for line in output.splitlines() if line.startswith("weights ")), "it failed"
    )
    equal = final.weights == expected
    print(f"  uninterrupted: {expected}\n  relay:         {final.weights}")
    print(
        f"\n{'PROVEN: bit for bit the same weights' if equal else 'FAILED: the weights differ'}, in {time.monotonic() - started:.0f} s."
    )
    if not equal:
        return 1
    return 0 if arguments.no_app else _open_app(stage)


def _play(stage: Stage, kills: list[int]) -> Leg:
    """Every leg until one reaches the goal; ChildProcessError or a failed proof ends the demo."""
    for number, kill_at in enumerate([*kills, None], start=1):
        leg = run_leg(stage, number, kill_at)
        for line in leg.said:
            if line.startswith(("batonpass: continuing", "batonpass: step 0", "  resume:")):
                print(f"  session {number}: {line.removeprefix('batonpass: ').strip()}")
        if leg.killed_at is None:
            print(f"  session {number}: reached step {stage.steps}", flush=True)
            _report(check_durable(open_store(stage.store)))
            return leg
        print(f"  session {number}: SIGKILL during step {leg.killed_at + 1}", flush=True)
        _report(check_durable(open_store(stage.store)))
    raise AssertionError("the last leg has no kill")


def _report(durability: Durability) -> None:
    verdict = (
        "each restored into an empty folder, every sha256 equal" if durability.holds else "NOT ALL OF THEM RESTORE"
    )
    print(
        f"             on the store: {durability.promised} durable checkpoints, newest step {durability.newest_step}; {verdict}",
        flush=True,
    )
    if not durability.holds:
        raise SystemExit(1)


def _empty_home(home: Path) -> Path:
    """A folder of the demo's own: only one that it made itself is ever emptied."""
    if home.exists() and any(home.iterdir()):
        if not (home / _MARK).exists():
            raise UsageError(f"{home} holds other things", hint="give an empty or new folder with --home")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).touch()
    return home.resolve()


def _need_training() -> None:
    for module, package in (("torch", "torch"), ("sklearn", "scikit-learn")):
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"the demo trains a real model and needs {package}", hint="python -m pip install torch scikit-learn"
            )


def _open_app(stage: Stage) -> int:
    """The app on the demo's store, if it is installed."""
    if importlib.util.find_spec("streamlit") is None:
        print(
            'To look at it: python -m pip install "streamlit>=1.67,<2" scipy, then batonpass app --store', stage.store
        )
        return 0
    print("\nOpening the app on it (Ctrl-C ends it) ...", flush=True)
    return subprocess.call([sys.executable, "-m", "batonpass", "app", "--store", str(stage.store)])
