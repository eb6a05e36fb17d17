"""What, beside state and data, decides the last bit of a training step: versions, device, precision switches, threads."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import numpy as np
import torch

_WORDS = {
    "torch": "another version of PyTorch",
    "numpy": "another version of NumPy",
    "device": "computed on another kind of device",
    "cpu": "another processor",
    "threads": "another number of CPU threads (torch.set_num_threads)",
    "deterministic": "deterministic algorithms switched otherwise (torch.use_deterministic_algorithms)",
    "gpu": "another GPU",
    "cuda": "another version of CUDA",
    "cudnn": "another version of cuDNN",
    "cudnn_benchmark": "torch.backends.cudnn.benchmark set otherwise",
    "cudnn_deterministic": "torch.backends.cudnn.deterministic set otherwise",
    "matmul_precision": "another precision of matrix products (torch.set_float32_matmul_precision)",
    "cublas_workspace": "CUBLAS_WORKSPACE_CONFIG set otherwise",
}


def environment() -> dict[str, str]:
    """Of this process, for `Manifest.environment`. Cheap after the first call; never initialises CUDA."""
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": "cuda" if cuda_in_use() else "cpu",
        "cpu": f"{_cpu_name()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(torch.get_num_threads()),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()),
    }
    if cuda_in_use():
        found |= {
            "gpu": ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
            "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
            "cudnn_deterministic": str(torch.backends.cudnn.deterministic),
            "matmul_precision": torch.get_float32_matmul_precision(),
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        }
    return found


def environment_differences(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """What keeps the same state and data from giving the same bits, one clause each. On CUDA the processor does not count."""
    ignored = {"python"} | ({"cpu", "threads"} if now.get("device") == then.get("device") == "cuda" else set())
    keys = sorted((then.keys() | now.keys()) - ignored)
    return [
        f"{k}: {then.get(k) or 'unknown'} there, {now.get(k) or 'unknown'} here"
        + (f" ({_WORDS[k]})" if k in _WORDS else "")
        for k in keys
        if then.get(k) != now.get(k)
    ]


def cuda_in_use() -> bool:
    """Whether this process computes on CUDA; asking does not initialise it."""
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
