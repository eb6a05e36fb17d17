"""Stays side by side: by account, by GPU, by provider. A record laid over another, in the order of the names; never a ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import numpy as np

from batonpass.core.gpu.catalogue import match_gpu
from batonpass.core.providers import provider_of
from batonpass.core.usage import NO_PROVIDER, Stay
from batonpass.streamlit_app.estimates.survival import Array, Survival

NO_GPU = "no GPU"


class By(StrEnum):
    """What stays can be told apart by; the value is the word for it."""

    ACCOUNT = "account"
    GPU = "GPU"
    PROVIDER = "provider"


def grouped(stays: Iterable[Stay], by: By) -> dict[str, tuple[Stay, ...]]:
    """Name -> its stays, oldest first, sorted by name. Untrusted names."""
    groups: dict[str, list[Stay]] = {}
    for stay in sorted(stays, key=lambda s: s.began):
        groups.setdefault(_NAMES[by](stay), []).append(stay)
    return {name: tuple(found) for name, found in sorted(groups.items())}


def median_range(curve: Survival) -> tuple[float | None, float | None]:
    """Hours after which half are gone, by the lower and the upper edge of the curve's band; None where the log does not reach so far."""
    return _falls_to_half(curve, curve.low), _falls_to_half(curve, curve.high)


def gpu_label(stay: Stay) -> str:
    """Its GPUs in short, as "T4" or "2 x T4". Untrusted text."""
    counted = Counter(entry.name if (entry := match_gpu(name)) is not None else name for name in stay.gpus)
    return " + ".join(f"{n} x {name}" if n > 1 else name for name, n in sorted(counted.items())) or NO_GPU


def provider_label(stay: Stay) -> str:
    """Where the machine stood. Untrusted text where we do not know the provider."""
    return "own machine" if stay.provider == NO_PROVIDER else provider_of(stay.provider).name


def _falls_to_half(curve: Survival, edge: Array) -> float | None:
    below = np.flatnonzero(edge <= 0.5)
    return float(curve.hours[below[0]]) if len(below) else None


_NAMES: Mapping[By, Callable[[Stay], str]] = {
    By.ACCOUNT: lambda stay: stay.account,
    By.GPU: gpu_label,
    By.PROVIDER: provider_label,
}
