"""What the kernel tests share, made once: the agent's wheel, and runs that were killed on a folder and on a Drive."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from drive_emulator.process import Emulator, running
from snippets.fresh_machine import FreshMachine
from snippets.killed_run import CHECKOUT, KilledRun, train_and_kill

from batonpass.core.snippets import WheelFile


@dataclass(frozen=True)
class Agent:
    """The agent's wheel, built from this checkout."""

    name: str
    data: bytes

    @property
    def file(self) -> WheelFile:
        """What a snippet needs to know of it."""
        return WheelFile(self.name, hashlib.sha256(self.data).hexdigest())


@dataclass(frozen=True)
class PersonsDrive:
    """A folder that stands for a person's My Drive, with a killed run and the agent in its folder `batonpass`."""

    folder: Path
    run: KilledRun

    @property
    def store(self) -> Path:
        """The root that keeps the runs."""
        return self.folder / "batonpass"


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Agent:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for part in ("core", "sync", "src", "streamlit_app"):
        shutil.copytree(CHECKOUT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for part in ("pyproject.toml", "LICENSE", "README.md"):
        (source / part).write_bytes((CHECKOUT / part).read_bytes() if (CHECKOUT / part).is_file() else b"")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run(command, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    return Agent(wheel.name, wheel.read_bytes())


@pytest.fixture(scope="session")
def killed_on_folder(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> PersonsDrive:
    folder = tmp_path_factory.mktemp("drive")
    home = tmp_path_factory.mktemp("first-machine")
    run = train_and_kill(str(folder / "batonpass"), "cats 'v2'", {"BATONPASS_HOME": str(home)})
    (folder / "batonpass" / "agent").mkdir(exist_ok=True)
    (folder / "batonpass" / "agent" / agent.name).write_bytes(agent.data)
    return PersonsDrive(folder, run)


@pytest.fixture
def persons_drive(killed_on_folder: PersonsDrive, tmp_path: Path) -> PersonsDrive:
    """A copy of its own for each test, because continuing a run changes it."""
    shutil.copytree(killed_on_folder.folder, tmp_path / "drive")
    return PersonsDrive(tmp_path / "drive", killed_on_folder.run)


@pytest.fixture
def machine(tmp_path: Path) -> FreshMachine:
    return FreshMachine(tmp_path / "machine")


@pytest.fixture(scope="session")
def drive_service() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator
