"""Which cards the published torch builds have left behind: what to suspect where no operation was tried on the card itself."""

from __future__ import annotations

import re

from batonpass.core.gpu.catalogue import capability

_VOLTA = (7, 0)
_TURING = (7, 5)
_BLACKWELL = (10, 0)


def oldest_card(torch: str, cuda: str | None = None) -> tuple[int, int] | None:
    """The smallest compute capability that the published build of this torch holds code for; None where that is not known.

    `torch` as in "2.11.0+cu128", `cuda` as in "12.8" (else it is read off `torch`). Sources: CUDA 12 ended Kepler
    (pytorch/pytorch#101187); cu128 builds leave Maxwell and Pascal out from 2.8 on and Volta from 2.11 on
    (pytorch/pytorch#172352); CUDA 13 itself compiles for Turing and newer only.
    """
    release, toolkit = _release(torch), _cuda(torch, cuda)
    if toolkit is None or release is None:
        return None
    if toolkit >= (13, 0) or (toolkit >= (12, 8) and release >= (2, 11)):
        return _TURING
    if toolkit >= (12, 8) and release >= (2, 8):
        return _VOLTA
    return (5, 0) if toolkit >= (12, 0) else None


def wheel_gap(compute_capability: str, torch: str, cuda: str | None = None) -> str:
    """One sentence why the published build does not run on a card of this compute capability; empty where none is known.

    >>> wheel_gap("6.0", "2.10.0+cu128")
    'The published torch 2.10.0 for CUDA 12.8 holds no code for compute capability 6.0, only for 7.0 and newer.'
    >>> wheel_gap("7.5", "2.11.0+cu128")
    ''
    """
    card, toolkit, oldest = capability(compute_capability), _cuda(torch, cuda), oldest_card(torch, cuda)
    if toolkit is None:
        return ""
    build = f"The published torch {torch.partition('+')[0]} for CUDA {toolkit[0]}.{toolkit[1]}"
    if oldest is not None and card < oldest:
        needed = f"{oldest[0]}.{oldest[1]}"
        return f"{build} holds no code for compute capability {compute_capability}, only for {needed} and newer."
    if card >= _BLACKWELL and toolkit < (12, 8):
        return (
            f"{build} is older than compute capability {compute_capability}: it takes a build for CUDA 12.8 or newer."
        )
    return ""


def _release(torch: str) -> tuple[int, int] | None:
    found = re.match(r"(\d{1,3})\.(\d{1,3})", torch)
    return (int(found[1]), int(found[2])) if found else None


def _cuda(torch: str, cuda: str | None) -> tuple[int, int] | None:
    if found := re.fullmatch(r"(\d{1,3})\.(\d{1,2})(?:\.\d+)?", cuda or ""):
        return int(found[1]), int(found[2])
    found = re.search(r"\+cu(\d{2,3})$", torch)
    return (int(found[1][:-1]), int(found[1][-1])) if found else None
