"""How long to wait before trying again: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waiting with jitter, as Google's Drive guide asks: doubling from `first_s` up to `cap_s`, given up after `limit_s`."""

    first_s: float = 1.0
    cap_s: float = 32.0
    limit_s: float = 120.0
    """From the first failure on, waiting included; a wait that would end later is not begun."""

    def delay_s(self, attempt: int, *, draw: float, retry_after_s: float | None = None) -> float:
        """Seconds to wait after failure number `attempt` (from 0). `draw` in [0, 1) spreads clients over the upper half of the
        interval. What the store asked for is honoured even above the cap.

        >>> Backoff().delay_s(0, draw=0.0), Backoff().delay_s(3, draw=1.0), Backoff().delay_s(40, draw=1.0)
        (0.5, 8.0, 32.0)
        """
        whole = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 30))
        return max(whole * (0.5 + draw / 2), retry_after_s or 0.0)
