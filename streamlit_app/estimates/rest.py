"""Whether longer rests before a stay went with longer stays: a cool-down, if the log shows one. What it shows is never a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batonpass.core.usage import Stay

ENOUGH_PAIRS = 8
"""With fewer stays that ended by themselves a coefficient says nothing."""
MOST_PAIRS = 500
"""So many at most are looked at: the newest."""
SHUFFLES = 2000
RARE = 0.05


@dataclass(frozen=True, slots=True)
class RestLink:
    """Spearman's rank correlation between rest and length. `chance`: the share of random orders that show one at least as strong."""

    rho: float
    chance: float
    n: int

    @property
    def shows_something(self) -> bool:
        """Chance alone would rarely give as much."""
        return self.chance < RARE


def rested(stays: Sequence[Stay]) -> tuple[Stay, ...]:
    """Stays that tell how long a machine was left to run after how long a rest: they ended by themselves, and overlapped none before."""
    return tuple(s for s in stays if s.rest_s is not None and s.rest_s > 0 and not s.censored)


def rest_link(stays: Sequence[Stay], *, seed: int = 0) -> RestLink | None:
    """None below `ENOUGH_PAIRS`, and where all rests or all lengths are alike. `chance` comes from shuffling the lengths (seeded), which
    holds for a dozen stays and with ties, where the usual formula does not.
    """
    from scipy.stats import rankdata  # noqa: PLC0415  # half a second; only a page with a chart needs it

    pairs = rested(stays)[-MOST_PAIRS:]
    if len(pairs) < ENOUGH_PAIRS:
        return None
    rests, lengths = rankdata([s.rest_s or 0.0 for s in pairs]), rankdata([s.length_s for s in pairs])
    if not rests.std() or not lengths.std():
        return None
    x, y = (rests - rests.mean()) / rests.std(), (lengths - lengths.mean()) / lengths.std()
    rho = float(np.mean(x * y))
    orders = np.random.default_rng(seed).permuted(np.tile(y, (SHUFFLES, 1)), axis=1)
    as_strong = int(np.count_nonzero(np.abs(orders @ x / len(x)) >= abs(rho) - 1e-9))
    return RestLink(rho, (as_strong + 1) / (SHUFFLES + 1), len(pairs))
