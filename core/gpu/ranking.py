"""Which card is faster for which arithmetic: an order by published peaks. Real speed is measured, not looked up; see `micro_test`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from batonpass.core.errors import UsageError
from batonpass.core.gpu.catalogue import CatalogueEntry, what_provider_hands_out

Precision = Literal["amp", "bf16", "fp32"]

_SPELLINGS: dict[str, Precision] = {
    "amp": "amp", "fp16": "amp", "float16": "amp", "half": "amp", "16": "amp", "16-mixed": "amp",
    "bf16": "bf16", "bfloat16": "bf16", "bf16-mixed": "bf16",
    "fp32": "fp32", "float32": "fp32", "tf32": "fp32", "32": "fp32", "32-true": "fp32",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ranking:
    """`ordered` is fastest first. `slow_bf16` can only emulate the arithmetic asked for; `unknown` has no published figure."""

    ordered: tuple[CatalogueEntry, ...]
    slow_bf16: tuple[CatalogueEntry, ...] = ()
    unknown: tuple[CatalogueEntry, ...] = ()

    def place(self, entry: CatalogueEntry) -> int | None:
        """1 for the fastest; None for an entry that is not in the order."""
        return self.ordered.index(entry) + 1 if entry in self.ordered else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one card stands among those a provider hands out. `place` is None when it cannot be said."""

    place: int | None
    of: int
    ranking: Ranking


def parse_precision(text: str) -> Precision:
    """The arithmetic a user names in any usual spelling; "fp16" means mixed precision. UsageError for anything else."""
    try:
        return _SPELLINGS[text.strip().casefold()]
    except KeyError:
        raise UsageError(f"not a precision: {text!r}", hint='write "amp", "bf16" or "fp32"') from None


def peak_tflops(entry: CatalogueEntry, precision: Precision) -> float | None:
    """The published peak that training in this precision can draw on, in TFLOP/s; None where no source gives one.

    Without tensor cores mixed precision saves memory but no time, so that there the fp32 figure counts for it.
    """
    if precision == "fp32":
        return entry.fp32_tflops
    if precision == "bf16" and not entry.native_bf16:
        return None
    return entry.fp16_tensor_tflops if entry.has_tensor_cores else entry.fp32_tflops


def rank(entries: Iterable[CatalogueEntry], precision: Precision) -> Ranking:
    """Order cards by peak, then memory bandwidth, then memory. Only CUDA devices are looked at: a TPU needs another program."""
    cards = [e for e in entries if e.is_cuda]
    slow = tuple(e for e in cards if precision == "bf16" and not e.native_bf16)
    rest = [e for e in cards if e not in slow]
    known = [(peak, e) for e in rest if (peak := peak_tflops(e, precision)) is not None]
    known.sort(key=lambda pair: (-pair[0], -(pair[1].bandwidth_gbs or 0), -pair[1].memory_gib, pair[1].name))
    ordered = tuple(e for _, e in known)
    return Ranking(ordered, slow, tuple(e for e in rest if e not in ordered))


def place_among_offers(entry: CatalogueEntry, provider: str, precision: Precision) -> Place:
    """Where this card stands among what the provider hands out; the card itself counts even when it is not on the list."""
    offers = what_provider_hands_out(provider)
    ranking = rank(offers if entry in offers else (*offers, entry), precision)
    return Place(ranking.place(entry), len(ranking.ordered), ranking)
