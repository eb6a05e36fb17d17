"""Whether this torch build can really compute on a GPU: its list of architectures, then one real operation."""

from __future__ import annotations

from batonpass.core.gpu.advice import build_runs_on


def probe(index: int = 0) -> tuple[bool, str | None, str]:
    """(usable, why not in one sentence or None, compute capability as "7.5" or "" without a GPU). Initialises CUDA."""
    import torch  # noqa: PLC0415  # asked for by those who have imported it already

    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        return False, "torch sees no CUDA device of this number", ""
    try:
        major, minor = torch.cuda.get_device_capability(index)
        capability = f"{major}.{minor}"
        if not build_runs_on(capability, torch.cuda.get_arch_list()):
            return False, _too_old(capability, torch.__version__), capability
        value = torch.ones(8, device=f"cuda:{index}").sum().item()
    except (RuntimeError, AssertionError) as error:
        return False, f"a first CUDA operation failed: {str(error).splitlines()[0]}", ""
    return (True, None, capability) if value == 8 else (False, "a first CUDA operation gave a wrong result", capability)


def _too_old(capability: str, version: str) -> str:
    return f"torch {version} holds no code for this GPU (compute capability {capability})"
