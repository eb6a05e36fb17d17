"""The cells up to the installed agent, executed in a real kernel on a machine that has never seen Batonpass."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest
from drive_emulator.process import Emulator
from snippets.conftest import Agent
from snippets.fresh_machine import FreshMachine

from batonpass.core.settings import read_settings
from batonpass.core.snippets import SnippetInputs, Target, WheelFile, day_one, render
from batonpass.core.snippets.cells import Cell, Snippet
from batonpass.sync.agent import put_agent
from batonpass.sync.stores import open_store

pytestmark = pytest.mark.kernel


@pytest.fixture
def drive(tmp_path: Path, agent: Agent) -> Path:
    """A My Drive whose folder batonpass holds nothing but the agent."""
    (tmp_path / "drive" / "batonpass" / "agent").mkdir(parents=True)
    (tmp_path / "drive" / "batonpass" / "agent" / agent.name).write_bytes(agent.data)
    return tmp_path / "drive"


def inputs(drive: Path, *wheels: WheelFile, store: str = "") -> SnippetInputs:
    return SnippetInputs(
        run_name="cats",
        run_id="1f2e3d4c",
        root_id="0a1b2c3d4e5f",
        store=store or str(drive / "batonpass"),
        goal_steps=10,
        wheels=wheels,
        mount_point=str(drive.parent / "content" / "drive"),
    )


def until_installed(snippet: Snippet) -> list[Cell]:
    """Everything before `bp.start`, and a look at what came of it."""
    look = "import batonpass; print('INSTALLED', batonpass.__file__)"
    return [*(c for c in snippet.cells[:-2] if c.kind == "code"), Cell("code", look)]


def test_the_wheel_beside_the_runs_is_installed_by_pip(drive: Path, agent: Agent, machine: FreshMachine):
    """Before, `import batonpass` fails there; after, it is the one that pip put there."""
    before = machine.run_cells([Cell("code", "import batonpass")])
    assert before.error.startswith("ModuleNotFoundError")

    outcome = machine.run_cells(until_installed(render(Target.KAGGLE, inputs(drive, agent.file))))

    assert outcome.error == ""
    assert f"INSTALLED {machine.site_packages}/batonpass/__init__.py" in outcome.printed


def test_a_tampered_wheel_is_refused_before_pip_sees_it(drive: Path, agent: Agent, machine: FreshMachine):
    """One byte more is another sha256: nothing is installed. The untouched wheel installs: see above."""
    with (drive / "batonpass" / "agent" / agent.name).open("ab") as wheel:
        wheel.write(b"\0")

    outcome = machine.run_cells(
        until_installed(render(Target.COLAB_MOUNT, inputs(drive, agent.file))), STANDIN_DRIVE=str(drive)
    )

    assert "its sha256 differs. Nothing was installed." in outcome.error
    assert not machine.has_batonpass


def test_a_second_wheel_is_checked_as_well(drive: Path, agent: Agent, machine: FreshMachine):
    """What the agent needs comes from the same folder, so it is not trusted any more than the agent."""
    other = WheelFile("apscheduler-3.11.0-py3-none-any.whl", "cd" * 32)
    (drive / "batonpass" / "agent" / other.name).write_bytes(b"not what was listed")

    outcome = machine.run_cells(until_installed(render(Target.KAGGLE, inputs(drive, agent.file, other))))

    assert f"{other.name} is not the file" in outcome.error
    assert not machine.has_batonpass


def test_a_store_without_the_agent_says_so_and_creates_nothing(tmp_path: Path, agent: Agent, machine: FreshMachine):
    """Another account's Drive, or an empty one, is met with a sentence, and stays as it was."""
    empty = tmp_path / "empty-drive"
    empty.mkdir()

    outcome = machine.run_cells(
        until_installed(render(Target.COLAB_MOUNT, inputs(empty, agent.file))), STANDIN_DRIVE=str(empty)
    )

    assert "is not there. Nothing was installed and nothing was created." in outcome.error
    assert list(empty.iterdir()) == []


def test_a_mount_that_fails_stops_the_notebook(drive: Path, agent: Agent, bare_machine: FreshMachine):
    outcome = bare_machine.run_cells(until_installed(render(Target.COLAB_MOUNT, inputs(drive, agent.file))))
    assert "mount failed" in outcome.error
    assert not bare_machine.has_batonpass


def test_pip_that_fails_is_not_silent(drive: Path, machine: FreshMachine):
    """A wheel that pip refuses shows pip's own words and what to do."""
    junk = b"this is no zip file"
    name = "batonpass-9.9.9-py3-none-any.whl"
    (drive / "batonpass" / "agent" / name).write_bytes(junk)
    wheel = WheelFile(name, hashlib.sha256(junk).hexdigest())

    outcome = machine.run_cells(until_installed(render(Target.KAGGLE, inputs(drive, wheel))))

    assert "pip could not install" in outcome.error
    assert "switch Internet on" in outcome.error


def test_an_installed_batonpass_stays_on_ones_own_computer_and_is_replaced_on_a_borrowed_machine(
    drive: Path, agent: Agent, machine: FreshMachine
):
    """The same version from another file: kept by `local`, replaced by the exact wheel elsewhere."""
    machine.pip_install(drive / "batonpass" / "agent" / agent.name)
    record = next(machine.site_packages.glob("batonpass-*.dist-info")) / "direct_url.json"
    record.write_text('{"url": "file:///elsewhere", "dir_info": {"editable": true}}')

    kept = machine.run_cells(until_installed(render(Target.LOCAL, inputs(drive, agent.file))))
    assert kept.error == ""
    assert "stays as it is" in kept.printed
    assert "elsewhere" in record.read_text()

    replaced = machine.run_cells(until_installed(render(Target.KAGGLE, inputs(drive, agent.file))))
    assert replaced.error == ""
    assert "elsewhere" not in next(machine.site_packages.glob("batonpass-*.dist-info/direct_url.json")).read_text()


def test_the_first_day_notebook_installs_from_itself_without_a_network(
    tmp_path: Path, agent: Agent, machine: FreshMachine
):
    """Kaggle with internet off: neither a Drive nor an index can be reached, and none is needed."""
    snippet = day_one(Target.KAGGLE, inputs(tmp_path), {agent.name: agent.data})

    outcome = machine.run_cells(until_installed(snippet), STANDIN_INTERNET="off")

    assert outcome.error == ""
    assert machine.has_batonpass


def test_the_first_day_notebook_refuses_a_wheel_that_was_edited(tmp_path: Path, agent: Agent, machine: FreshMachine):
    snippet = day_one(Target.LOCAL, inputs(tmp_path), {agent.name: agent.data})
    edited = [Cell(c.kind, c.source.replace("UEsDB", "UEsDC", 1), c.tags) for c in snippet.cells]
    assert edited != list(snippet.cells)

    outcome = machine.run_cells(until_installed(Snippet(snippet.target, tuple(edited), "", "")))

    assert "its sha256 differs" in outcome.error
    assert not machine.has_batonpass


@pytest.fixture(scope="module")
def on_drive(drive_service: Emulator) -> tuple[WheelFile, str]:
    """The agent, put on the emulated Drive through its API, and the credential that may read it."""
    token = drive_service.token()
    settings = read_settings({"BATONPASS_DRIVE_TOKEN": token, "BATONPASS_DRIVE_ENDPOINT": drive_service.url})
    with closing(open_store("gdrive://agent-only", settings)) as store:
        return put_agent(store), token


@pytest.mark.parametrize(
    ("target", "extra", "words"),
    [
        (Target.COLAB, {}, "click the key on the left"),
        (Target.KAGGLE, {}, "Add-ons > Secrets"),
        (Target.KAGGLE, {"STANDIN_INTERNET": "off"}, "only while Internet is on"),
        (Target.LOCAL, {}, "run `batonpass login`"),
        (Target.COLAB, {"BATONPASS_DRIVE_TOKEN": "half a {secret"}, "holds no credential"),
    ],
)
def test_a_missing_or_broken_credential_says_what_to_click(
    target: Target, extra: dict[str, str], words: str, tmp_path: Path, bare_machine: FreshMachine
):
    wheel = WheelFile("batonpass-0.1.0-py3-none-any.whl", "ab" * 32, "some-id")
    snippet = render(target, inputs(tmp_path, wheel, store="gdrive://batonpass"))
    outcome = bare_machine.run_cells(until_installed(snippet), **extra)
    assert words in outcome.error
    assert "half a" not in outcome.error + outcome.printed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"endpoint": "http://127.0.0.1:9/"}, "Drive cannot be reached"),
        ({"endpoint": "http://example.org/"}, "would travel unencrypted"),
        ({"id": "no-such-file"}, "sees no batonpass"),
        ({"refresh_token": "revoked"}, "does not accept the credential"),
        ({"sha256": "ab" * 32}, "its sha256 differs. Nothing was installed."),
    ],
)
def test_a_drive_that_does_not_give_the_wheel_says_why(
    change: dict[str, str],
    words: str,
    tmp_path: Path,
    on_drive: tuple[WheelFile, str],
    bare_machine: FreshMachine,
    drive_service: Emulator,
):
    wheel, token = on_drive
    credential = {**json.loads(token), **({"refresh_token": "revoked"} if "refresh_token" in change else {})}
    asked = WheelFile(wheel.name, change.get("sha256", wheel.sha256), change.get("id", wheel.id))
    snippet = render(Target.COLAB, inputs(tmp_path, asked, store="gdrive://agent-only"))

    outcome = bare_machine.run_cells(
        until_installed(snippet),
        STANDIN_SECRETS=json.dumps({"BATONPASS_DRIVE_TOKEN": json.dumps(credential)}),
        BATONPASS_DRIVE_ENDPOINT=change.get("endpoint", drive_service.url),
    )

    assert words in outcome.error
    assert not bare_machine.has_batonpass
