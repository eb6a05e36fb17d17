"""What `start` shows: the machine card, whether the run is new and where it lies, and the line for the next day."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.card import machine_card
from batonpass.core.model import Host
from batonpass.sheet import show
from batonpass.sync.gpu import GpuReading
from batonpass.sync.joining import Joined
from batonpass.sync.reading import read_run
from batonpass.sync.torch_facts import torch_build
from batonpass.words import start_line


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, as far as a card shows it."""

    host: Host
    gpus: GpuReading


def introduce(
    joined: Joined, machine: Machine, *, url: str, account: str, precision: str, goal_steps: int | None
) -> None:
    """Print or display the card; it takes no more requests than reading the run once."""
    line = start_line(
        name=joined.info.name,
        store=url,
        account=account,
        goal_steps=goal_steps,
        run_id=joined.info.run_id,
        root_id=joined.root.root_id,
    )
    show(
        machine_card(
            machine.host,
            machine.gpus.gpus,
            gpu_problem=machine.gpus.problem,
            precision=precision,
            build=torch_build(),
            session_lengths_s=_lengths(joined, machine.host.provider),
            start_line=line,
        )
    )


def _lengths(joined: Joined, provider: str) -> list[float]:
    """Lengths of this run's earlier sessions at this provider, in seconds."""
    if joined.created:
        return []
    sessions = [s.session for s in read_run(joined.store, joined.folder).sessions]
    return [
        ((s.end.at if s.end else s.heartbeat_at) - s.started_at).total_seconds()
        for s in sessions
        if s.host.provider == provider and s.id != joined.session
    ]
