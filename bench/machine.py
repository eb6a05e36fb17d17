"""What the figures were taken on: printed above every table, because a figure without its machine says nothing."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
from pathlib import Path

import torch


def describe(folder: Path) -> str:
    """Two lines: the machine and its versions, the disk that is written to."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, {sys.platform}"
    return (
        f"machine: {os.cpu_count()} cores, {gpu}; {versions}; torch threads: {torch.get_num_threads()}\n"
        f"disk: {_file_system(folder)}; every rival writes there"
    )


def load() -> str:
    """The load averages of the last 1, 5 and 15 minutes. This benchmark itself counts about 1 to 2."""
    if not hasattr(os, "getloadavg"):
        return "load average: not known on this system"
    return "load average (1, 5, 15 min): " + ", ".join(f"{value:.2f}" for value in os.getloadavg())


def settle(*, sync: bool) -> None:
    """Give back the memory of earlier rivals, and bring what they wrote to the disk, so that the next one does not pay for it."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        if sync:
            os.sync()


class PeakMemory:
    """How much resident memory a stretch of code added at its worst, without a thread that would disturb it (Linux only)."""

    def __init__(self) -> None:
        self._known = sys.platform == "linux"
        self._before = 0
        if self._known:
            Path("/proc/self/clear_refs").write_text("5")  # forgets the high-water mark: man 5 proc
            self._before = status_bytes("VmRSS")

    def extra_bytes(self) -> int | None:
        """The highest resident size since the beginning above the one at the beginning; None where it is not known."""
        return max(status_bytes("VmHWM") - self._before, 0) if self._known else None


def status_bytes(field: str) -> int:
    """A field of this process's status (Linux), such as VmRSS, or VmHWM for its peak: unlike `ru_maxrss` not its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def _file_system(folder: Path) -> str:
    if sys.platform != "linux":
        return "kind not known"
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = {str(p) for p in (folder.resolve(), *folder.resolve().parents)}
    fitting = [(len(point), kind) for _, point, kind, *_ in mounts if point in above]
    return max(fitting)[1] if fitting else "kind not known"
