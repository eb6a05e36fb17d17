"""The machine a session runs on, as far as it may be written down: no host name, no serial number, no e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as NVML (and torch, where present) describes it."""

    name: str
    memory_bytes: int
    compute_capability: str | None = None
    """As "7.5"; None when neither NVML nor torch tells."""
    driver: str | None = None
    uuid_hash: str | None = None
    """Salted: tells the same card from another, never which card it is."""
    usable: bool | None = None
    """A real CUDA operation of this torch build worked (True) or failed (False); None when torch was not there to try."""
    why_not: str | None = None
    """One sentence when `usable` is False."""


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One reading of one GPU. A field is None when the driver does not report it."""

    at: datetime
    index: int
    utilisation_percent: float | None = None
    memory_used_bytes: int | None = None
    temperature_c: float | None = None
    power_w: float | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """Where a session runs."""

    provider: str
    """One of "colab", "colab-enterprise", "kaggle", "lightning", "studio-lab", "paperspace", "other"."""
    machine: str
    """Salted hash of this machine; equal for two sessions on one machine, and the same after a kernel restart."""
    process: str
    """Process id and start time of the training process, as "pid-starttime"."""
    system: str = ""
    """As "Linux x86_64"."""
    cpu_count: int | None = None
    ram_bytes: int | None = None
    disk_free_bytes: int | None = None
    marks: tuple[str, ...] = ()
    """What tells, together with the session's id, whether a reader sits on the machine that wrote this session's files here
    (`core.arrival`): "boot:<hash>", "install:<hash>", "home:<hash>". Empty where nobody noted it.
    """
