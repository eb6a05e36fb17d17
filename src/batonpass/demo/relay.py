"""Plays the relay: starts the training again and again, each time as its own process, and kills it at a random step."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Leg:
    """One session of the demo."""

    number: int
    killed_at: int | None
    """The step that was running when SIGKILL landed; None for a session that reached the goal."""
    said: list[str] = field(default_factory=list)
    """What Batonpass printed."""
    weights: str | None = None
    """Fingerprint of the final weights, where the session reached the goal."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays. Everything lies under `home`."""

    home: Path
    steps: int

    @property
    def store(self) -> Path:
        """The folder that stands for the Drive."""
        return self.home / "drive" / "batonpass"

    def command(self, *, store: Path, name: str = "digits") -> list[str]:
        """How a session is started."""
        return [
            sys.executable,
            "-m",
            "batonpass.demo.training",
            "--store",
            str(store),
            "--name",
            name,
            "--steps",
            str(self.steps),
        ]

    def environment(self, machine: str) -> dict[str, str]:
        """A machine has a home of its own, so that nothing but the store passes from one to the next."""
        own = {"BATONPASS_HOME": str(self.home / machine), "BATONPASS_LEASE_S": "1", "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own}


def start_reference(stage: Stage) -> subprocess.Popen[str]:
    """The same training on a store of its own, not interrupted by anybody."""
    command = stage.command(store=stage.home / "reference")
    return subprocess.Popen(command, env=stage.environment("reference-machine"), stdout=subprocess.PIPE, text=True)


def run_leg(
    stage: Stage, number: int, kill_at: int | None, *, on_line: Callable[[str], None] = lambda _line: None
) -> Leg:
    """Run one session; kill it as soon as it prints step `kill_at`. ChildProcessError when it ends by itself with an error.

    The pipe is read to its end, so the step that is reported is the last one the process finished before SIGKILL landed.
    """
    leg = Leg(number, None)
    last_step = 0
    command, environment = stage.command(store=stage.store), stage.environment(f"machine-{number}")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        killed = False
        for line in process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "step" and rest.isdigit():
                last_step = int(rest)
                if kill_at is not None and last_step >= kill_at and not killed:
                    process.kill()
                    killed = True
            elif word == "weights":
                leg.weights = rest
            else:
                leg.said.append(line.rstrip("\n"))
                on_line(line.rstrip("\n"))
    if killed:
        leg.killed_at = last_step
    elif process.returncode != 0:
        raise ChildProcessError(
            f"session {number} ended with exit code {process.returncode}:\n" + "\n".join(leg.said[-30:])
        )
    return leg


def draw_kills(steps: int, kills: int, rng: random.Random) -> list[int]:
    """Steps at which the machines die: one in each of `kills` equal stretches, so that every session gets somewhere."""
    stretch = steps // (kills + 1)
    return [stretch * i + rng.randint(stretch // 3, stretch) for i in range(kills)]
