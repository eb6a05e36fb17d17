"""How often a thing came, with how little is known from few tries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """`times` of `n` tries, and the 95 % interval that the true share may well lie in (Wilson), 0 to 1."""

    name: str
    times: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share seen, 0 to 1."""
        return self.times / self.n


def wilson(times: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share: never empty, never beyond 0 and 1, honest down to n = 1. ValueError for an impossible count.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if not 0 <= times <= n or n == 0:
        raise ValueError(f"{times} of {n} is no share")
    z2 = _Z95 * _Z95
    share = times / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half) if times else 0.0, min(1.0, centre + half) if times < n else 1.0


def shares(draws: Iterable[tuple[str, str]]) -> Mapping[str, tuple[Share, ...]]:
    """Place -> what came there, the most frequent first. `draws` are (place, what came); places stand in alphabetical order."""
    found: dict[str, Counter[str]] = {}
    for place, name in draws:
        found.setdefault(place, Counter())[name] += 1
    return {
        place: tuple(_shares_of(counts))
        for place, counts in sorted(found.items(), key=lambda pair: (pair[0].casefold(), pair[0]))
    }


def _shares_of(counts: Counter[str]) -> Iterable[Share]:
    n = counts.total()
    for name, times in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield Share(name, times, n, *wilson(times, n))
