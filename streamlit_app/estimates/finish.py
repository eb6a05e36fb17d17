"""When a run may be done: many possible futures, each put together from the run's own past sessions and pauses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batonpass.streamlit_app.estimates.history import History

Array = NDArray[np.float64]
FUTURES = 2000
ENOUGH_TURNS = 5
"""With fewer sessions that are over nothing is simulated."""
MOST_TURNS = 400
"""A future that needs more sessions counts as never."""
YOUNG_S = 600.0
"""Until then a live session's own pace says little."""


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """`after_s`: float64[futures], rising: how long from now each future takes, in seconds; infinite where it does not arrive."""

    after_s: Array
    n: int
    """Sessions that were drawn from."""

    def chance_within(self, seconds: float) -> float:
        """The share of futures that are done by then."""
        return float(np.searchsorted(self.after_s, seconds, side="right")) / len(self.after_s)

    def within(self, share: float) -> float:
        """After so many seconds this share of the futures is done; infinite where too few arrive."""
        return float(self.after_s[min(int(np.ceil(share * len(self.after_s))), len(self.after_s)) - 1])


def simulate_finish(history: History, left: int, *, seed: int = 0, futures: int = FUTURES) -> Finish | None:
    """Futures of a run with `left` steps to go; None below five sessions, and where none of them brought anything.

    A session is drawn as a whole, with its length and what it brought, so that a slow GPU stays with its pace; pauses are drawn by themselves.
    That a dozen sessions may not be typical is part of every future: each gives the past sessions weights of its own (Rubin's Bayesian
    bootstrap). The same history and `seed` give the same futures.
    """
    turns = history.turns
    rests = [t.rest_s for t in turns if t.rest_s is not None]
    if len(turns) < ENOUGH_TURNS or not rests or not any(t.steps for t in turns) or left <= 0:
        return None
    draw = np.random.default_rng(seed)
    past = _Past(
        np.array([t.length_s for t in turns]),
        np.array([t.steps for t in turns], np.float64),
        np.array(rests),
        _weights(draw, futures, len(turns)),
        _weights(draw, futures, len(rests)),
        draw,
    )
    todo, clock = np.full(futures, float(left)), np.zeros(futures)
    if history.live_for_s is not None:
        pace, rest_of_it = past.going_on(history.live_for_s, history.live_steps)
        todo, clock, done = _train(todo, clock, pace, rest_of_it)
    else:
        done = np.zeros(futures, np.bool_)
        clock = past.pause_going_on(history.resting_s)
    for turn in range(MOST_TURNS):
        if done.all():
            break
        pause = past.pause() if turn or history.live_for_s is not None else 0.0
        length, steps = past.turn()
        todo, later, arrived = _train(todo, clock + pause, steps / length, length)
        clock = np.where(done, clock, later)
        done |= arrived
    return Finish(np.sort(np.where(done, clock, np.inf)), len(turns))


@dataclass(slots=True)
class _Past:
    """What is drawn from; every draw has one entry per future."""

    length_s: Array
    steps: Array
    rest_s: Array
    turn_weights: Array
    rest_weights: Array
    draw: np.random.Generator

    def turn(self) -> tuple[Array, Array]:
        """Lengths and steps of a session each: somewhat longer or shorter than one of the past, at its pace."""
        at = self._pick(self.turn_weights)
        factor = self._factor(self.length_s, len(at))
        return self.length_s[at] * factor, self.steps[at] * factor

    def pause(self) -> Array:
        """A pause each."""
        at = self._pick(self.rest_weights)
        return self.rest_s[at] * self._factor(self.rest_s, len(at))

    def pause_going_on(self, for_s: float) -> Array:
        """What is left of a pause that has lasted `for_s`."""
        return self._left_of(self.rest_s, self.rest_weights, for_s)[1]

    def going_on(self, for_s: float, steps: int) -> tuple[Array, Array]:
        """The pace of the live session, in steps per second, and how long it will still last."""
        at, rest_of_it = self._left_of(self.length_s, self.turn_weights, for_s)
        own = steps / for_s if for_s > 0 else 0.0
        drawn = self.steps[at] / self.length_s[at]
        return (np.full(len(at), own) if for_s >= YOUNG_S and steps else drawn), rest_of_it

    def _factor(self, every: Array, futures: int) -> Array:
        return np.exp(_bandwidth(every) * self.draw.standard_normal(futures))

    def _left_of(self, every: Array, weights: Array, for_s: float) -> tuple[NDArray[np.intp], Array]:
        """Of those that lasted longer, how much longer. Where none did, it lasts on as one drawn from all would."""
        longer = weights * (every > for_s)
        known = longer.sum(axis=1) > 0
        at = self._pick(np.where(known[:, None], longer, weights))
        return at, np.where(known, every[at] - for_s, every[at])

    def _pick(self, weights: Array) -> NDArray[np.intp]:
        """One index each, by the weights of each future."""
        edges = np.cumsum(weights, axis=1)
        aim = self.draw.random(len(weights)) * edges[:, -1]
        picked: NDArray[np.intp] = np.minimum((edges <= aim[:, None]).sum(axis=1), weights.shape[1] - 1)
        return picked


def _train(todo: Array, clock: Array, pace: Array, length_s: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A session each: what is left after it, when it ends (or the goal is reached in it), and whether it is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needs = np.where(pace > 0, todo / pace, np.inf)
    arrived = needs <= length_s
    return todo - pace * length_s, clock + np.minimum(needs, length_s), arrived


def _weights(draw: np.random.Generator, futures: int, n: int) -> Array:
    """Weights of the past, one row per future; the fewer there are, the more they differ from future to future. A dozen draws show less
    than the whole spread of what can happen, as Student's t is wider than the normal curve; `bench/app/calibration.py` measures the outcome.
    """
    return draw.dirichlet(np.full(n, max(1 - 6.5 / n, 0.25)), futures)


def _bandwidth(every: Array) -> float:
    """How far, as a factor's logarithm, a draw may lie from the one of the past that it follows (Silverman's rule)."""
    logs = np.log(np.maximum(every, 60.0))
    return float(0.9 * np.std(logs) * len(every) ** -0.2)
