"""What published figures would predict for one card against another. A ratio of peaks is a bound on hope, not a measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from batonpass.core.gpu.catalogue import CatalogueEntry
from batonpass.core.gpu.ranking import peak_tflops


@dataclass(frozen=True, slots=True)
class Prediction:
    """How many times one card outruns another by each published figure; None where a figure is missing or stands for nothing."""

    fp32: float | None
    """Peak fp32 rate: arithmetic without mixed precision."""
    half: float | None
    """Peak rate of mixed precision; a card without tensor cores computes it at its fp32 rate."""
    bandwidth: float | None
    """Memory bandwidth: small layers, normalisation, attention over long caches."""

    def named(self) -> Mapping[str, float]:
        """The figures there are, by the words for them."""
        every = {"fp32": self.fp32, "half precision": self.half, "memory bandwidth": self.bandwidth}
        return {name: value for name, value in every.items() if value is not None}

    def nearest(self, measured: float) -> str:
        """The word for the figure that lies nearest to a measured ratio, on a logarithmic scale; empty where there is none."""
        named = self.named()
        if not named or not (math.isfinite(measured) and measured > 0):
            return ""
        return min(named, key=lambda name: abs(math.log(named[name] / measured)))


def predict(card: CatalogueEntry, against: CatalogueEntry) -> Prediction:
    """Peaks of `card` over peaks of `against`."""
    return Prediction(
        _over(card.fp32_tflops, against.fp32_tflops),
        _over(peak_tflops(card, "amp"), peak_tflops(against, "amp")),
        _over(card.bandwidth_gbs, against.bandwidth_gbs),
    )


def _over(value: float | None, base: float | None) -> float | None:
    return value / base if value and base else None
