"""Whether the bands of the app hold what they promise, on invented histories whose truth is known.

    python bench/app/calibration.py [--quick] [--seed 1]

Survival: the share of machines that really last so long lies in the 80 % band. Forecast: the real end lies between the 10 % and the 90 % quantile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tables import render

from batonpass.core.usage import Ending, Stay
from batonpass.streamlit_app.estimates.finish import simulate_finish
from batonpass.streamlit_app.estimates.history import History, Turn
from batonpass.streamlit_app.estimates.survival import survival

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = (0.5, 1.0, 2.0, 4.0, 8.0)
Draws = Callable[[np.random.Generator, int], np.ndarray]
LENGTHS: dict[str, Draws] = {
    "one kind of machine (lognormal)": lambda draw, n: draw.lognormal(1.0, 0.7, n),
    "an hour or nine (mixture)": lambda draw, n: np.where(
        draw.random(n) < 0.5, draw.gamma(8, 1 / 8, n), draw.gamma(60, 9 / 60, n)
    ),
    "memoryless (exponential)": lambda draw, n: draw.exponential(3.0, n),
    "a hard limit at 12 h": lambda draw, n: np.minimum(draw.lognormal(1.8, 0.8, n), 12.0),
}


def measure(*, smoke: bool, seed: int) -> str:
    """Two tables."""
    return survival_table(smoke=smoke, seed=seed) + "\n" + forecast_table(smoke=smoke, seed=seed)


def survival_table(*, smoke: bool, seed: int) -> str:
    """Coverage of the 80 % band at five lengths, as far as the truth there is neither 0 nor 1."""
    histories = 20 if smoke else 2000
    rows, all_inside, all_looked = [], 0, 0
    for name, lengths in LENGTHS.items():
        draw = np.random.default_rng(seed)
        truth = lengths(np.random.default_rng(seed + 1), 200_000)
        cells = []
        for n in (10, 15, 30):
            inside = looked = 0
            for _ in range(histories):
                curve = survival(stays_of(lengths(draw, n), draw.exponential(8.0, n)))
                for hours in HOURS if curve is not None else ():
                    real = float(np.mean(truth > hours))
                    if 0.02 < real < 0.98 and curve is not None:
                        _, low, high = curve.at(hours)
                        inside += low <= real <= high
                        looked += 1
            all_inside, all_looked = all_inside + inside, all_looked + looked
            cells.append(f"{100 * inside / looked:.1f} %")
        rows.append([name, *cells])
    rows.append(["all", f"{100 * all_inside / all_looked:.1f} %", "", ""])
    title = f"Survival: how often the true share lay in the 80 % band, {histories:,} histories each (seed {seed})"
    return render(title, ["lengths", "10 stays", "15 stays", "30 stays"], rows)


def stays_of(lengths: np.ndarray, closed: np.ndarray) -> list[Stay]:
    """Stays of these lengths in hours, unless the user closed them before."""
    return [
        Stay(
            "a",
            "colab",
            "m",
            NOW,
            NOW + timedelta(hours=min(a, b)),
            Ending.VANISHED if a < b else Ending.BY_YOU,
            (),
            (),
        )
        for a, b in zip(lengths.tolist(), closed.tolist(), strict=True)
    ]


class Worker:
    """Somebody's way of training: GPUs of different speeds, lengths, pauses, and what each death costs."""

    def __init__(self, draw: np.random.Generator, lengths: Draws, *, spread: float) -> None:
        self.draw, self.lengths, self.spread = draw, lengths, spread

    def turn(self) -> Turn:
        """The next session, and the pause before it."""
        speed = (0.8, 2.0, 2.0, 6.0)[int(self.draw.integers(4))] * self.draw.lognormal(0, 0.1)
        length_s = 3600 * float(self.lengths(self.draw, 1)[0]) + 120
        kept = max(speed * (length_s - 120 - self.draw.uniform(0, 600)), 0.0)
        return Turn(int(kept), length_s, 3600 * float(self.draw.lognormal(0.5, self.spread)))


def forecast_table(*, smoke: bool, seed: int) -> str:
    """The real end against the futures; half of the forecasts are made in the midst of a session, half in a pause."""
    histories = 10 if smoke else 500
    rows, total, looked = [], 0, 0
    for name, lengths in LENGTHS.items():
        for spread, word in ((0.4, "regular pauses"), (1.2, "wild pauses")):
            draw = np.random.default_rng(seed)
            worker = Worker(draw, lengths, spread=spread)
            cells, inside_all = [], 0
            for n in (10, 15, 30):
                inside = sum(inside_band(worker, n, number) for number in range(histories))
                inside_all += inside
                cells.append(f"{100 * inside / histories:.1f} %")
            total, looked = total + inside_all, looked + 3 * histories
            rows.append([f"{name}, {word}", *cells])
    rows.append(["all", f"{100 * total / looked:.1f} %", "", ""])
    title = f"Forecast: how often the run was really done between the 10 % and the 90 % quantile, {histories:,} histories each (seed {seed})"
    return render(title, ["the user", "10 sessions", "15 sessions", "30 sessions"], rows)


def inside_band(worker: Worker, n: int, number: int) -> bool:
    """One history, one forecast, and what really came."""
    draw = worker.draw
    turns = [worker.turn() for _ in range(n)]
    mean = sum(t.steps for t in turns) / n
    left = max(int(mean * draw.uniform(1.0, 12.0)), 1)
    current = worker.turn()
    if number % 2:
        age = draw.uniform(0.0, current.length_s)
        history = History(tuple(turns), age, int(current.steps * age / current.length_s))
        rest_of_it = current.length_s - age
        todo, clock = left, 0.0
        pace = current.steps / current.length_s
    else:
        assert current.rest_s is not None
        waited = draw.uniform(0.0, current.rest_s)
        history = History(tuple(turns), resting_s=waited)
        todo, clock = left, current.rest_s - waited
        pace, rest_of_it = current.steps / current.length_s, current.length_s
    found = simulate_finish(history, left, seed=number)
    if found is None:
        return False
    real = really(worker, todo, clock, pace, rest_of_it)
    return found.within(0.1) <= real <= found.within(0.9)


def really(worker: Worker, todo: float, clock: float, pace: float, rest_of_it: float) -> float:
    """Seconds until the last step."""
    while True:
        if pace > 0 and todo <= pace * rest_of_it:
            return clock + todo / pace
        todo, clock = todo - pace * rest_of_it, clock + rest_of_it
        turn = worker.turn()
        clock += turn.rest_s or 0.0
        pace, rest_of_it = turn.steps / turn.length_s, turn.length_s


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny: says nothing but that it runs")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(measure(smoke=arguments.quick, seed=arguments.seed))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
