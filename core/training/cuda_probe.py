"""Whether this torch build can really compute on a GPU: its list of architectures, then one real operation."""

from __future__ import annotations

import re
from collections.abc import Sequence


def probe(index: int = 0) -> tuple[bool, str | None, str]:
    """(usable, why not in one sentence or None, compute capability as "7.5" or "" without a GPU). Initialises CUDA."""
    import torch  # noqa: PLC0415  # the pure decisions below serve those without it

    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        return False, "torch sees no CUDA device of this number", ""
    try:
        major, minor = torch.cuda.get_device_capability(index)
        capability = f"{major}.{minor}"
        if not runs_on(capability, torch.cuda.get_arch_list()):
            return False, _too_old(capability, torch.__version__), capability
        value = torch.ones(8, device=f"cuda:{index}").sum().item()
    except (RuntimeError, AssertionError) as error:
        return False, f"a first CUDA operation failed: {str(error).splitlines()[0]}", ""
    return (True, None, capability) if value == 8 else (False, "a first CUDA operation gave a wrong result", capability)


def runs_on(capability: str, architectures: Sequence[str]) -> bool:
    """Whether a build with these architectures ("sm_75", "compute_90", ...) holds code for a GPU of this capability ("7.5").

    Binary code runs on its own major version from its minor version up; PTX ("compute_") on everything newer.
    Source: CUDA C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility".
    """
    major, minor = _version(capability)
    for architecture in architectures:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
        if not match:
            continue
        kind, built = match[1], (int(match[2]), int(match[3]))
        if match[4]:  # only for exactly this architecture (a) or its family (f)
            if built == (major, minor):
                return True
        elif built <= (major, minor) and (kind == "compute" or built[0] == major):
            return True
    return False


def native_bf16(capability: str) -> bool:
    """Whether bfloat16 is computed in hardware: from compute capability 8.0 (Ampere) up. Below, torch emulates it, slowly."""
    return _version(capability) >= (8, 0)


def _version(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _too_old(capability: str, version: str) -> str:
    return f"torch {version} holds no code for this GPU (compute capability {capability})"
