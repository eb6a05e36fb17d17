"""How long machines stay: the share still there after each length, from a log in which some stays were cut short by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batonpass.core.usage import Stay

Array = NDArray[np.float64]
ENOUGH_STAYS = 5
"""Below this number a curve says less than the list of stays."""
LEVEL = 0.8
"""Of the band: the true share lies in it four times out of five, as `bench/app/calibration.py` measures."""


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """A step function: from `hours[i]` on, until the next, `share[i]` of the machines were still there. All arrays float64[k]."""

    hours: Array
    """Rising; the first is 0."""
    share: Array
    low: Array
    high: Array
    """The band of `LEVEL` round `share`, for each length by itself."""
    n: int
    """Stays."""
    vanished: int
    """Of them: those that ended by themselves. The others count as at least that long."""

    def at(self, hours: float) -> tuple[float, float, float]:
        """(share, low, high) at one length."""
        place = int(np.searchsorted(self.hours, hours, side="right")) - 1
        place = max(place, 0)
        return float(self.share[place]), float(self.low[place]), float(self.high[place])

    @property
    def median_hours(self) -> float | None:
        """The length after which half are gone; None where the log does not reach so far."""
        below = np.flatnonzero(self.share <= 0.5)
        return float(self.hours[below[0]]) if len(below) else None


def survival(stays: Sequence[Stay]) -> Survival | None:
    """Kaplan and Meier's curve by `scipy.stats.ecdf`; None where no stay has vanished by itself.

    The band is Jeffreys' interval for a share that was seen in as many stays as the curve's own variance (Greenwood's) is worth: the plain
    one (share plus or minus a multiple of its error) leaves the range from 0 to 1 and is too narrow for a dozen stays.
    """
    from scipy.stats import CensoredData, beta, ecdf  # noqa: PLC0415  # half a second; only pages with a curve need it

    ended = [s.length_s / 3600 for s in stays if not s.censored]
    lower = [s.length_s / 3600 for s in stays if s.censored]
    if not ended:
        return None
    found = ecdf(CensoredData(uncensored=ended, right=lower)).sf
    hours = np.r_[0.0, np.asarray(found.quantiles, np.float64)]
    share = np.r_[1.0, np.asarray(found.probabilities, np.float64)]
    worth = _effective_stays(hours, share, np.array(ended), np.array(lower))
    tail = (1 - LEVEL) / 2
    low = beta.ppf(tail, share * worth + 0.5, (1 - share) * worth + 0.5)
    high = beta.ppf(1 - tail, share * worth + 0.5, (1 - share) * worth + 0.5)
    return Survival(hours, share, np.minimum(low, share), np.maximum(high, share), len(stays), len(ended))


def _effective_stays(hours: Array, share: Array, ended: Array, lower: Array) -> Array:
    """In how many uncensored stays a share would be as uncertain as it is here; at 0 and 1 the number that was still watched."""
    every = np.r_[ended, lower]
    at_risk = np.array([np.count_nonzero(every >= h) for h in hours], np.float64)
    gone = np.array([np.count_nonzero(ended == h) for h in hours], np.float64)
    left = at_risk - gone
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.cumsum(
            np.where(gone > 0, gone / (at_risk * left), 0.0)
        )  # infinite where all that were left are gone
        worth = (1 - share) / (share * growth)
    usable = (share > 0) & (share < 1) & np.isfinite(worth) & (worth > 0)
    return np.where(usable, worth, np.where(share >= 1, at_risk, len(every)))
