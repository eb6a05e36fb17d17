"""The GPUs that notebooks hand out, as published: reads `catalogue.csv` and finds the card that a driver names.

A figure that no source gives stays None; nothing is estimated here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

_GIB = 2**30
_REPORTED_SHARE = (0.85, 1.05)
"""A driver reports between these shares of a card's nominal memory (ECC and firmware take the rest); a MIG slice reports far less."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider that hands out a card today; `note` is its condition, as "free" or "paid, scarce"."""

    provider: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One accelerator. Rates are the maker's peaks without sparsity, for one die (K80) or chip (TPU)."""

    name: str
    aliases: tuple[str, ...]
    vendor: str
    arch: str
    compute_capability: str | None
    """As "7.5"; None for what is not a CUDA device."""
    year: int
    memory_gib: float
    bandwidth_gbs: float | None
    """Memory bandwidth in GB/s."""
    fp32_tflops: float | None
    fp16_tensor_tflops: float | None
    """Half precision on tensor cores; bf16 where that is native. None where there are none, or the figure is unknown."""
    native_bf16: bool
    offers: tuple[Offer, ...]
    seen_elsewhere: str
    """Where it stood in earlier years, or on machines that we do not know by name."""
    source: str

    @property
    def is_cuda(self) -> bool:
        """It runs CUDA; a TPU does not, and is listed but never ranked."""
        return self.compute_capability is not None

    @property
    def has_tensor_cores(self) -> bool:
        """Whether mixed precision can gain speed on it: compute capability 7.0 and up, among the cards listed here."""
        return self.compute_capability is not None and capability(self.compute_capability) >= (7, 0)


def capability(text: str) -> tuple[int, int]:
    """A compute capability as numbers that compare rightly.

    >>> capability("12.0") > capability("8.9")
    True
    """
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """Every entry, in the file's order: by age within each maker."""
    text = resources.files("batonpass.core.gpu").joinpath("catalogue.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(text.splitlines()))


def match_gpu(
    name: str, memory_bytes: int = 0, *, among: Iterable[CatalogueEntry] | None = None
) -> CatalogueEntry | None:
    """The entry of the card that a driver calls `name` and that reports `memory_bytes` in all (0: not known).

    The memory tells cards of one name apart (A100 40 GB and 80 GB, V100 16 GB and 32 GB). None when nothing fits, when several
    fit equally well, and for a slice of a card (MIG), which is not the card.
    """
    return _match_known(name, memory_bytes) if among is None else _match(name, memory_bytes, among)


@lru_cache(maxsize=4096)
def _match_known(name: str, memory_bytes: int) -> CatalogueEntry | None:
    """A page asks for thousands of sessions, and they have few kinds of card."""
    return _match(name, memory_bytes, catalogue())


def _match(name: str, memory_bytes: int, among: Iterable[CatalogueEntry]) -> CatalogueEntry | None:
    wanted = _plain(name)
    named = [e for e in among if wanted in {_plain(n) for n in (e.name, *e.aliases)}]
    if memory_bytes <= 0:
        return named[0] if len(named) == 1 else None
    low, high = _REPORTED_SHARE
    shares = {e: memory_bytes / (e.memory_gib * _GIB) for e in named}
    fitting = sorted((abs(1 - share), i) for i, e in enumerate(named) if low <= (share := shares[e]) <= high)
    if not fitting or (len(fitting) > 1 and fitting[0][0] == fitting[1][0]):
        return None
    return named[fitting[0][1]]


def what_provider_hands_out(provider: str) -> tuple[CatalogueEntry, ...]:
    """Every accelerator that this provider ("colab", "kaggle", ...) is known to hand out, in the catalogue's order."""
    return tuple(e for e in catalogue() if offer_of(e, provider) is not None)


def offer_of(entry: CatalogueEntry, provider: str) -> Offer | None:
    """On which condition this provider hands the card out; None when it is not known to."""
    return next((o for o in entry.offers if o.provider == provider), None)


def _plain(name: str) -> str:
    """Lower-case letters and digits without the maker's and the line's name: "Tesla T4" and "NVIDIA T4" are one card."""
    return re.sub(r"[^a-z0-9]|nvidia|tesla", "", name.casefold())


def _entry(row: Mapping[str, str]) -> CatalogueEntry:
    return CatalogueEntry(
        name=row["name"],
        aliases=tuple(filter(None, row["aliases"].split("|"))),
        vendor=row["vendor"],
        arch=row["arch"],
        compute_capability=row["compute_capability"] or None,
        year=int(row["year"]),
        memory_gib=float(row["memory_gib"]),
        bandwidth_gbs=_figure(row["bandwidth_gbs"]),
        fp32_tflops=_figure(row["fp32_tflops"]),
        fp16_tensor_tflops=_figure(row["fp16_tensor_tflops"]),
        native_bf16={"y": True, "n": False}[row["native_bf16"]],
        offers=tuple(_offer(text) for text in filter(None, row["offered_by"].split("|"))),
        seen_elsewhere=row["seen_elsewhere"],
        source=row["source"],
    )


def _offer(text: str) -> Offer:
    provider, _, note = text.partition("=")
    return Offer(provider, note)


def _figure(text: str) -> float | None:
    return float(text) if text else None
