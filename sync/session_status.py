"""How safe the work of an open session is, in numbers: what the cards, the command line and a watcher tell in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batonpass.core.model import CheckpointListing, ResumeProof, ResumeRecord


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """What is safe, in numbers. Times in seconds."""

    step: int
    durable: CheckpointListing | None
    """The newest published checkpoint of this session; where `durable.proven` is False it is handed over only, and no receipt of it is known."""
    durable_age_s: float | None
    steps_at_risk: int
    seconds_at_risk: float
    branch: str | None
    closed: bool
    """The session has ended here: what was not sent by then goes with the next start on this machine."""
    began_at: int
    """The step of the checkpoint that it resumed from; 0 where it began the run."""
    twins: tuple[str, ...]
    """Ids of other runs of this name that were begun at the same time."""
    conflicts: tuple[str, ...]
    """Copies that a mounted Drive made because two machines wrote one file."""
    lanes: dict[str, Any]
    resumed: ResumeRecord | None
    """What it resumed from."""
    proof: ResumeProof | None
    """What running again has shown."""
