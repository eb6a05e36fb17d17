"""Every snippet, executed from its notebook file in a real kernel on a fresh machine, against a run whose process got SIGKILL.

Never a silent start from zero: a store that cannot give the run back stops the notebook before a step is trained.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from snippets.conftest import Agent, OnDrive, PersonsDrive
from snippets.fresh_machine import FreshMachine, Outcome
from snippets.killed_run import KilledRun, stored_weights
from snippets.training_process import OWN_CELL

from batonpass.core.settings import read_settings
from batonpass.core.snippets import CheckpointPick, SnippetInputs, Target, WheelFile, day_one, render
from batonpass.sync.reading import list_run_folders, read_run
from batonpass.sync.stores import open_store

pytestmark = pytest.mark.kernel

MORE_STEPS = 6
LOOK = "import json; print('LOOK', json.dumps({'steps': steps, 'first_weights': weights_at[:1]}))"
NO_WAIT = {"BATONPASS_LEASE_S": "2"}


def inputs_for(run: KilledRun, agent: WheelFile, **more: str) -> SnippetInputs:
    return SnippetInputs(
        **{
            "run_name": run.name,
            "run_id": run.run_id,
            "root_id": run.root_id,
            "store": run.url,
            "account": 'school\'s "second"',
            "goal_steps": run.newest.step + MORE_STEPS,
            "wheels": (agent,),
            "newest_step": run.newest.step,
            **more,
        }
    )


def on_folder(drive: PersonsDrive, agent: Agent, machine: FreshMachine) -> SnippetInputs:
    """The run on this test's own copy of the Drive: mounted, or as a plain folder."""
    mount = str(machine.folder / "content" / "drive")
    return inputs_for(drive.run, agent.file, store=str(drive.store), mount_point=mount)


def looked(outcome: Outcome) -> dict:
    line = next(line for line in outcome.printed.splitlines() if line.startswith("LOOK "))
    return json.loads(line.removeprefix("LOOK "))


def assert_continued(outcome: Outcome, run: KilledRun, weights: str) -> None:
    """The first step trained is the one after the newest durable one, on exactly its weights, and the goal is reached."""
    assert outcome.error == ""
    seen = looked(outcome)
    first = run.newest.step + 1
    assert seen["steps"] == list(range(first, first + MORE_STEPS))
    assert seen["first_weights"] == [weights]


@pytest.mark.parametrize("target", [Target.COLAB_MOUNT, Target.KAGGLE, Target.LOCAL])
def test_a_killed_run_continues_from_a_folder(
    target: Target, persons_drive: PersonsDrive, agent: Agent, machine: FreshMachine
):
    """On a mounted Drive, on Kaggle's disk, and on one's own computer; and the run gets a session, not a twin."""
    with closing(open_store(str(persons_drive.store), read_settings({}))) as store:
        weights = stored_weights(store, persons_drive.run)

        outcome = machine.run(
            render(target, on_folder(persons_drive, agent, machine)),
            own_cell=OWN_CELL,
            last_cell=LOOK,
            STANDIN_DRIVE=str(persons_drive.folder),
            BATONPASS_MOUNT_POINTS=str(machine.folder / "content" / "drive"),
            **NO_WAIT,
        )

        assert_continued(outcome, persons_drive.run, weights)
        assert list_run_folders(store) == [persons_drive.run.folder]
        newest = read_run(store, persons_drive.run.folder).sessions[-1].session
        assert newest.resumed_from is not None
        assert newest.resumed_from.checkpoint == persons_drive.run.newest.key
        assert newest.account == 'school\'s "second"'


def test_a_chosen_checkpoint_is_rewound_to_once(persons_drive: PersonsDrive, agent: Agent, own_computer: FreshMachine):
    """The same notebook on the next day goes on from where the choice led, and does not throw that away again."""
    folder = persons_drive.store / persons_drive.run.folder
    session = json.loads(max((folder / "sessions").glob("*.json")).read_bytes())
    older = session["checkpoints"][0]
    assert older["step"] < persons_drive.run.newest.step
    goal = older["step"] + 2
    chosen = dataclasses.replace(
        on_folder(persons_drive, agent, own_computer),
        pick=CheckpointPick(older["key"], older["step"]),
        goal_steps=goal,
    )

    first = own_computer.run(render(Target.LOCAL, chosen), own_cell=OWN_CELL, last_cell=LOOK, **NO_WAIT)
    assert (first.error, looked(first)["steps"]) == ("", [goal - 1, goal])

    again = dataclasses.replace(chosen, goal_steps=goal + 1)
    second = own_computer.run(render(Target.LOCAL, again), own_cell=OWN_CELL, last_cell=LOOK, **NO_WAIT)
    assert (second.error, looked(second)["steps"]) == ("", [goal + 1])


@pytest.mark.parametrize("target", [Target.COLAB, Target.KAGGLE, Target.LOCAL])
def test_a_killed_run_continues_through_the_drive_api(
    target: Target, killed_on_drive: OnDrive, machine: FreshMachine, tmp_path: Path
):
    """The credential comes from the place's own secrets (on a computer: from the file that `batonpass login` wrote)."""
    run = killed_on_drive.runs[target.value]
    token_file = tmp_path / "token.json"
    token_file.write_text(killed_on_drive.token)
    settings = read_settings(
        {"BATONPASS_DRIVE_TOKEN": killed_on_drive.token, "BATONPASS_DRIVE_ENDPOINT": killed_on_drive.endpoint}
    )
    with closing(open_store(run.url, settings)) as store:
        weights = stored_weights(store, run)

    outcome = machine.run(
        render(target, inputs_for(run, killed_on_drive.agents[target.value], token_file=str(token_file))),
        own_cell=OWN_CELL,
        last_cell=LOOK,
        STANDIN_SECRETS=json.dumps({"BATONPASS_DRIVE_TOKEN": killed_on_drive.token}),
        BATONPASS_DRIVE_ENDPOINT=killed_on_drive.endpoint,
        **NO_WAIT,
    )

    assert_continued(outcome, run, weights)
    assert json.loads(killed_on_drive.token)["refresh_token"] not in outcome.printed


@pytest.mark.parametrize("change", [{"root_id": "ffffffffffff"}, {"run_id": "ffffffff"}])
def test_another_root_or_run_than_the_cell_was_made_for_stops_the_start(
    change: dict[str, str], persons_drive: PersonsDrive, agent: Agent, own_computer: FreshMachine
):
    """Nothing is created and nothing is trained."""
    before = sorted(p.relative_to(persons_drive.store) for p in persons_drive.store.rglob("*") if not _hidden(p))
    asked = dataclasses.replace(on_folder(persons_drive, agent, own_computer), **change)

    outcome = own_computer.run(render(Target.LOCAL, asked), own_cell=OWN_CELL, last_cell=LOOK, **NO_WAIT)

    assert outcome.error
    assert "ffffffff" in outcome.error
    assert "LOOK" not in outcome.printed
    after = sorted(p.relative_to(persons_drive.store) for p in persons_drive.store.rglob("*") if not _hidden(p))
    assert after == before


def test_a_store_that_has_lost_everything_but_the_agent_stops_the_start(
    persons_drive: PersonsDrive, agent: Agent, own_computer: FreshMachine
):
    """An emptied folder is not a reason to begin again."""
    shutil.rmtree(persons_drive.store / "runs")
    (persons_drive.store / "batonpass.json").unlink()

    outcome = own_computer.run(
        render(Target.LOCAL, on_folder(persons_drive, agent, own_computer)),
        own_cell=OWN_CELL,
        last_cell=LOOK,
        **NO_WAIT,
    )

    assert outcome.error
    assert "LOOK" not in outcome.printed
    assert not (persons_drive.store / "runs").exists()


def test_a_run_whose_checkpoints_have_not_arrived_stops_at_attach(
    persons_drive: PersonsDrive, agent: Agent, own_computer: FreshMachine
):
    """Its sessions say that it was trained; with no file of a checkpoint there, training from zero would be a mistake."""
    shutil.rmtree(persons_drive.store / persons_drive.run.folder / "files")

    outcome = own_computer.run(
        render(Target.LOCAL, on_folder(persons_drive, agent, own_computer)),
        own_cell=OWN_CELL,
        last_cell=LOOK,
        **NO_WAIT,
    )

    assert outcome.error.startswith("NothingToRestoreError")
    assert "LOOK" not in outcome.printed


def test_the_first_day_begins_a_new_run_on_an_empty_drive_and_says_where(
    tmp_path: Path, agent: Agent, machine: FreshMachine
):
    """Day 1: nothing lies on the Drive; the notebook brings the agent, says NEW, and trains from step 1."""
    (tmp_path / "drive").mkdir()
    first = SnippetInputs(
        run_name="cats",
        run_id=None,
        root_id=None,
        store="",
        goal_steps=MORE_STEPS,
        mount_point=str(machine.folder / "content" / "drive"),
    )

    outcome = machine.run(
        day_one(Target.COLAB_MOUNT, first, {agent.name: agent.data}),
        own_cell=OWN_CELL,
        last_cell=LOOK,
        STANDIN_DRIVE=str(tmp_path / "drive"),
        **NO_WAIT,
    )

    assert outcome.error == ""
    assert "NEW" in outcome.printed
    assert looked(outcome)["steps"] == list(range(1, MORE_STEPS + 1))
    with closing(open_store(str(tmp_path / "drive" / "batonpass"), read_settings({}))) as store:
        (folder,) = list_run_folders(store)
        assert read_run(store, folder).sessions[0].session.checkpoints[-1].step == MORE_STEPS


class TestTorchAlone:
    """The snippet that needs no library of ours."""

    OWN = OWN_CELL + "\nimport sys\n"
    LOOK = "print('LOADED', step, fingerprint(), 'batonpass' in sys.modules)"

    def test_it_loads_exactly_the_newest_weights(
        self, persons_drive: PersonsDrive, agent: Agent, bare_machine: FreshMachine
    ):
        """On a machine on which Batonpass is not even installed."""
        run = persons_drive.run
        with closing(open_store(str(persons_drive.store), read_settings({}))) as store:
            weights = stored_weights(store, run)

        snippet = render(Target.TORCH, on_folder(persons_drive, agent, bare_machine))
        outcome = bare_machine.run(snippet, own_cell=self.OWN, last_cell=self.LOOK)

        assert outcome.error == ""
        assert f"LOADED {run.newest.step} {weights} False" in outcome.printed
        assert not bare_machine.has_batonpass

    def test_damaged_bytes_are_passed_over_aloud_and_never_loaded(
        self, persons_drive: PersonsDrive, agent: Agent, bare_machine: FreshMachine
    ):
        """The newest file has one bit flipped: the next older checkpoint is taken, and both facts are printed."""
        folder = persons_drive.store / persons_drive.run.folder
        manifest = json.loads((persons_drive.store / persons_drive.run.newest.key).read_bytes())
        pool = next(f["pool"] for f in manifest["files"] if f["name"] == "model.safetensors")
        data = bytearray((folder / "files" / pool).read_bytes())
        data[-1] ^= 1
        (folder / "files" / pool).write_bytes(data)

        snippet = render(Target.TORCH, on_folder(persons_drive, agent, bare_machine))
        outcome = bare_machine.run(snippet, own_cell=self.OWN, last_cell=self.LOOK)

        assert f"Step {persons_drive.run.newest.step:,} is passed over: {pool} is damaged" in outcome.printed
        session = json.loads(max((folder / "sessions").glob("*.json")).read_bytes())
        assert f"LOADED {session['checkpoints'][-2]['step']} " in outcome.printed

    def test_without_any_whole_checkpoint_it_raises(
        self, persons_drive: PersonsDrive, agent: Agent, bare_machine: FreshMachine
    ):
        """An untouched model that looks loaded would be a silent start from zero."""
        shutil.rmtree(persons_drive.store / persons_drive.run.folder / "files")

        snippet = render(Target.TORCH, on_folder(persons_drive, agent, bare_machine))
        outcome = bare_machine.run(snippet, own_cell=self.OWN, last_cell=self.LOOK)

        assert "Nothing was loaded" in outcome.error
        assert "LOADED" not in outcome.printed

    def test_another_root_is_refused(self, persons_drive: PersonsDrive, agent: Agent, bare_machine: FreshMachine):
        asked = dataclasses.replace(on_folder(persons_drive, agent, bare_machine), root_id="ffffffffffff")
        outcome = bare_machine.run(render(Target.TORCH, asked), own_cell=self.OWN, last_cell=self.LOOK)
        assert "is another store" in outcome.error


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
