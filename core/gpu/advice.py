"""What a card means for the user's training, in sentences: which precision it can do, and whether this torch build runs on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from batonpass.core.gpu.catalogue import capability
from batonpass.core.gpu.ranking import Precision
from batonpass.core.model.machine import Gpu

NATIVE_BF16_FROM = (8, 0)
"""Ampere. `torch.cuda.is_bf16_supported()` also counts emulation and says yes on a T4, so it is not asked."""
TENSOR_CORES_FROM = (7, 0)


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """The torch that is installed. `architectures` is `torch.cuda.get_arch_list()`, as ("sm_75", "sm_80", "compute_90")."""

    version: str
    architectures: tuple[str, ...]
    cuda: str | None = None
    """None for a build without CUDA."""


def has_native_bf16(compute_capability: str | None) -> bool | None:
    """Whether the card computes in bf16 itself; None when its compute capability is not known."""
    return None if compute_capability is None else capability(compute_capability) >= NATIVE_BF16_FROM


def build_runs_on(compute_capability: str, architectures: Sequence[str]) -> bool:
    """Whether a build holds code for a card: machine code of the same major version and no newer minor one, or PTX no newer.

    Source: CUDA C++ programming guide, "Binary compatibility" and "PTX compatibility". Letter-suffixed targets
    ("sm_90a") run on exactly their own capability.
    """
    card = capability(compute_capability)
    for architecture in architectures:
        parsed = re.fullmatch(r"(sm|compute)_(\d+)(\d)([a-z]?)", architecture)
        if parsed is None:
            continue
        target = (int(parsed[2]), int(parsed[3]))
        if target == card or (not parsed[4] and target <= card and (parsed[1] == "compute" or target[0] == card[0])):
            return True
    return False


def advice(gpu: Gpu, precision: Precision, build: TorchBuild | None = None) -> tuple[str, ...]:
    """What to know before training on this card in this precision, one sentence each, the gravest first; empty when all is well."""
    return (*obstacles(gpu, precision, build), *hints(gpu, precision))


def obstacles(gpu: Gpu, precision: Precision, build: TorchBuild | None = None) -> tuple[str, ...]:
    """What stands against training on this card in this precision: a torch that cannot use it, bf16 that is only emulated."""
    emulated = precision == "bf16" and has_native_bf16(gpu.compute_capability) is False
    return (*_torch_fit(gpu, build), *(_instead_of_bf16(gpu) if emulated else ()))


def hints(gpu: Gpu, precision: Precision) -> tuple[str, ...]:
    """What is good to know and stops nobody."""
    if precision != "amp" or gpu.compute_capability is None:
        return ()
    card = capability(gpu.compute_capability)
    if card < TENSOR_CORES_FROM:
        return (f"The {gpu.name} has no tensor cores: mixed precision saves memory on it, hardly any time.",)
    if card < NATIVE_BF16_FROM:
        return (f"On the {gpu.name} mixed precision means fp16 with GradScaler; its bf16 is only emulated, and slow.",)
    return ()


def _torch_fit(gpu: Gpu, build: TorchBuild | None) -> tuple[str, ...]:
    if gpu.usable is False:
        return (f"This torch cannot use the {gpu.name}: {gpu.why_not or 'a first CUDA operation failed'}.", _CHANGE)
    if gpu.usable or build is None:
        return ()
    if build.cuda is None:
        return (f"torch {build.version} is built without CUDA and will not use the {gpu.name}.",)
    if gpu.compute_capability is None or build_runs_on(gpu.compute_capability, build.architectures):
        return ()
    card = f"{gpu.name} (compute capability {gpu.compute_capability})"
    held = ", ".join(build.architectures) or "nothing"
    return (
        f"torch {build.version} holds no code for the {card}, only {held}; is_available() says yes all the same.",
        _CHANGE,
    )


_CHANGE = "Ask for another GPU, or install a torch build made for this card."


def _instead_of_bf16(gpu: Gpu) -> tuple[str, ...]:
    tensor_cores = gpu.compute_capability is not None and capability(gpu.compute_capability) >= TENSOR_CORES_FROM
    better = "fp16 with GradScaler, or fp32" if tensor_cores else "fp32"
    return (f"The {gpu.name} has no native bf16: torch emulates it slowly and does not say so. Use {better}.",)
