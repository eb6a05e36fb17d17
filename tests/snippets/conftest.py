"""What the kernel tests share, made once: the agent's wheel, and runs that were killed on a folder and on a Drive."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from drive_emulator.process import Emulator, running
from snippets.fresh_machine import FreshMachine
from snippets.killed_run import KilledRun, train_and_kill

from batonpass.core.settings import read_settings
from batonpass.core.snippets import WheelFile
from batonpass.sync.agent import build_wheel, put_agent
from batonpass.sync.stores import open_store


@dataclass(frozen=True)
class Agent:
    """The agent's wheel, as "Put Batonpass for notebooks there" builds it."""

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
def agent() -> Agent:
    wheel = build_wheel()
    return Agent(wheel.name, wheel.data)


@pytest.fixture(scope="session")
def killed_on_folder(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> PersonsDrive:
    folder = tmp_path_factory.mktemp("drive")
    home = tmp_path_factory.mktemp("first-machine")
    (run,) = train_and_kill("cats 'v2'", [str(folder / "batonpass")], {"BATONPASS_HOME": str(home)})
    with closing(open_store(str(folder / "batonpass"), read_settings({}))) as store:
        assert put_agent(store) == agent.file
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
def bare_machine(tmp_path_factory: pytest.TempPathFactory) -> FreshMachine:
    """Shared by tests in which nothing gets as far as being installed."""
    return FreshMachine(tmp_path_factory.mktemp("bare") / "machine")


@pytest.fixture(scope="session")
def own_computer(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> FreshMachine:
    """A computer on which Batonpass is installed; shared by tests in which nothing gets as far as being trained."""
    computer = FreshMachine(tmp_path_factory.mktemp("own") / "machine")
    wheel = computer.folder / agent.name
    wheel.write_bytes(agent.data)
    computer.pip_install(wheel)
    return computer


@pytest.fixture(scope="session")
def drive_service() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@dataclass(frozen=True)
class OnDrive:
    """Runs that were killed on an emulated Drive, by root, and what a machine needs to reach them."""

    runs: dict[str, KilledRun]
    agents: dict[str, WheelFile]
    token: str
    endpoint: str


@pytest.fixture(scope="session")
def killed_on_drive(drive_service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> OnDrive:
    token = drive_service.token()
    environment = {
        "BATONPASS_DRIVE_TOKEN": token,
        "BATONPASS_DRIVE_ENDPOINT": drive_service.url,
        "BATONPASS_HOME": str(tmp_path_factory.mktemp("first-machine")),
    }
    roots = ["colab", "kaggle", "local"]
    runs = train_and_kill("cats", [f"gdrive://{root}" for root in roots], environment)
    agents = {}
    for root in roots:
        with closing(open_store(f"gdrive://{root}", read_settings(environment))) as store:
            agents[root] = put_agent(store)
    return OnDrive(dict(zip(roots, runs, strict=True)), agents, token, drive_service.url)
