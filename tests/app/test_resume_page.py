"""The Resume page: from the agent that is missing to the cell and its notebook."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.model import Deletion, Deletions
from batonpass.core.snippets.inputs import Target
from batonpass.streamlit_app.components.drive_folder import guess_drive_folder
from batonpass.streamlit_app.components.takeover import start_waits
from batonpass.streamlit_app.overview import read_overview
from batonpass.streamlit_app.standing import read_standing
from batonpass.streamlit_app.views.resume import usual_target
from batonpass.sync.stores import open_store

from .conftest import HOSTILE, AppMaker, edit, words


def with_agent(store: Path) -> Path:
    (store / "agent").mkdir()
    (store / "agent" / "batonpass-0.1.0-py3-none-any.whl").write_bytes(b"a wheel")
    return store


def choose(at: AppTest, target: str) -> AppTest:
    return at.pills(key="target").set_value(target).run()


@pytest.mark.parametrize("target", ["colab-mount", "kaggle", "local", "torch"])
def test_each_target_gives_a_cell_that_is_python(app: AppMaker, store: Path, target: str) -> None:
    at = choose(app(with_agent(store), page="resume", run="1a5e0000"), target)
    assert not at.exception
    assert len(at.code) == 1
    compile(at.code[0].value, "cell", "exec")
    assert "1a5e0000" in at.code[0].value


def test_a_folder_and_the_drive_api_do_not_go_together_and_the_page_says_what_to_take(
    app: AppMaker, store: Path
) -> None:
    at = choose(app(with_agent(store), page="resume"), "colab")
    assert not at.code
    assert "colab\\-mount" in words(at)


def test_the_agent_is_put_on_the_store_with_one_click_and_the_cell_appears(app: AppMaker, store: Path) -> None:
    at = app(store, page="resume")
    assert not at.code
    at = at.button(key="agent").click().run()
    assert not at.exception
    assert next(f.name for f in (store / "agent").iterdir()).startswith("batonpass-")
    assert at.code


def test_what_was_removed_in_the_daily_course_is_no_warning(app: AppMaker, store: Path) -> None:
    folder = next((store / "runs").glob("cats-v2-*"))
    session = json.loads(max((folder / "sessions").glob("*.json"), key=lambda p: p.stat().st_mtime).read_text())
    old = session["checkpoints"][0]["key"]
    (folder / "deletions").mkdir()
    asked = Deletions("laptop", (Deletion(old, datetime.now(UTC), removed=True),))
    (folder / "deletions" / "laptop.json").write_bytes(encode(asked))
    assert "Passed over" not in words(app(store, page="resume", run="1a5e0000"))


def test_a_live_session_is_named_before_one_starts_another(app: AppMaker, store: Path) -> None:
    said = words(app(with_agent(store), page="resume", run="1a5e0000"))
    assert "**A session is live**" in said


def test_a_machine_that_is_known_to_be_gone_is_not_waited_for(app: AppMaker, store: Path) -> None:
    """The cell names the session, so that it takes the run from no other, however often it is run."""
    at = app(with_agent(store), page="resume", run="1a5e0000")
    run = next(r for r in read_overview(open_store(store)).runs if r.name == "cats-v2")
    assert "takeover" not in at.code[0].value
    at = at.toggle(key=f"gone-{run.files.head.holder}").set_value(True).run()
    assert not at.exception
    assert f"takeover={run.files.head.holder!r}," in at.code[0].value
    assert "The run is taken at once" in words(at)
    assert "A session is live" not in words(at)


def test_a_cell_without_a_start_of_ours_has_nothing_to_take(app: AppMaker, store: Path) -> None:
    at = app(with_agent(store), page="resume", run="1a5e0000")
    at.session_state["target"] = Target.HF
    at = at.run()
    assert "**A session is live**" in words(at)
    assert not [t for t in at.toggle if (t.key or "").startswith("gone-")]


@pytest.mark.parametrize(
    ("target", "mount", "silent_s", "waits"),
    [
        (Target.COLAB_MOUNT, False, 20, "up to 30 min"),
        (Target.COLAB_MOUNT, False, 800, "up to 30 min"),
        (Target.COLAB_MOUNT, False, 7300, ""),
        (Target.LOCAL, True, 800, "up to 30 min"),
        (Target.LOCAL, False, 20, "up to 5 min"),
        (Target.LOCAL, False, 800, ""),
        (Target.COLAB, True, 20, "up to 5 min"),
        (Target.KAGGLE, True, 800, ""),
        (Target.TORCH, True, 20, ""),
    ],
)
def test_how_long_a_start_waits_is_said_for_the_place_where_it_will_run(
    store: Path, target: Target, mount: bool, silent_s: float, waits: str
) -> None:
    """Also of a session that counts as lost here: a mounted Drive makes the start wait all the same."""
    overview = read_overview(open_store(store))
    run = next(r for r in overview.runs if r.name == "cats-v2")
    holder = next(s for s in run.files.sessions if s.session.id == run.files.head.holder)
    now = holder.heard_at + timedelta(seconds=silent_s)
    said = start_waits(run, read_standing(run, now, mount=mount), target, now=now, mount=mount)
    assert waits in said
    assert bool(waits) == bool(said)


@pytest.mark.parametrize(("target", "waits"), [(Target.COLAB_MOUNT, "it then stops"), (Target.KAGGLE, "up to 5 min")])
def test_a_holder_whose_file_cannot_be_read_is_waited_for(
    app: AppMaker, store: Path, target: Target, waits: str
) -> None:
    """Nobody can tell whether it lives. Through a mount it is not even taken for gone, so that the switch is the only way on."""
    run = next(r for r in read_overview(open_store(store)).runs if r.name == "cats-v2")
    (store / run.files.folder / "sessions" / f"{run.files.head.holder}.json").unlink()
    at = app(with_agent(store), page="resume", run="1a5e0000")
    at.session_state["target"] = target
    at = at.run()
    assert "**The file of the session that holds the run cannot be read**" in words(at)
    assert waits in words(at)
    assert at.toggle(key=f"gone-{run.files.head.holder}")


def test_a_run_that_nobody_holds_keeps_no_start_waiting(store: Path) -> None:
    overview = read_overview(open_store(store))
    free = [run for run in overview.runs if run.files.head.holder is None]
    assert free
    for run in free:
        standing = read_standing(run, overview.read_at)
        assert not start_waits(run, standing, Target.COLAB_MOUNT, now=overview.read_at, mount=True)


def test_a_rewind_is_written_into_the_cell(app: AppMaker, store: Path) -> None:
    at = app(with_agent(store), page="resume", run="1a5e0000")
    older = at.selectbox(key="checkpoint").proto.options[1]
    cats = next((store / "runs").glob("cats*"))
    manifest = next((cats / "checkpoints").glob("50800-*"))
    at.session_state["checkpoint"] = str(manifest.relative_to(store))
    at = at.run()
    assert not at.exception
    assert older.startswith("Rewind to step 50,800")
    assert "as you chose" in words(at)


def test_the_files_of_the_checkpoint_are_offered_when_asked_for(app: AppMaker, store: Path) -> None:
    at = app(with_agent(store), page="resume", run="1a5e0000")
    at.session_state["files"] = True
    at = at.run()
    assert not at.exception
    names = [b.label for b in at.get("download_button")]
    assert any("model" in name and "safetensors" in name for name in names)


def test_a_checkpoint_without_its_manifest_says_so_and_the_page_stands(app: AppMaker, store: Path) -> None:
    for manifest in (next((store / "runs").glob("cats*")) / "checkpoints").iterdir():
        manifest.unlink()
    at = app(with_agent(store), page="resume", run="1a5e0000")
    at.session_state["files"] = True
    at = at.run()
    assert not at.exception
    assert "cannot be read" in words(at)


def test_a_hostile_name_cannot_break_out_of_the_cell(app: AppMaker, store: Path) -> None:
    evil = HOSTILE + '"""\nimport os\nos.abort()\n' + "'''"
    edit(next((store / "runs").glob("cats*")) / "run.json", name=evil)
    at = choose(app(with_agent(store), page="resume", run="1a5e0000"), "local")
    assert not at.exception
    lines = at.code[0].value.splitlines()
    assert not any(line.strip() in ("import os", "os.abort()") for line in lines)
    compile(at.code[0].value, "cell", "exec")


def test_a_run_without_any_durable_checkpoint_is_told_to_stop_rather_than_begin_again(
    app: AppMaker, one_session: Path
) -> None:
    at = app(with_agent(one_session), page="resume")
    assert not at.exception
    assert "No durable checkpoint yet" in words(at)


def test_the_first_day_is_a_notebook_that_carries_the_agent(app: AppMaker, tmp_path: Path) -> None:
    at = app(tmp_path / "My Drive" / "batonpass")
    assert not at.exception
    assert at.text_input(key="drive-folder").value == "MyDrive/batonpass"
    assert [b.label for b in at.get("download_button")] == ["Download the first notebook"]
    assert "batonpass" in at.code[0].value


def test_on_the_first_day_the_agent_is_put_on_the_empty_store_and_its_line_is_ticked(
    app: AppMaker, tmp_path: Path
) -> None:
    at = app(tmp_path / "new")
    assert "**Batonpass for notebooks lies on it** · to do" in words(at)
    at = at.button(key="agent").click().run()
    assert not at.exception
    assert "**Batonpass for notebooks lies on it** · done" in words(at)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("/disk/Google Drive/My Drive/lab/runs", "MyDrive/lab/runs"),
        ("C:\\Users\\me\\My Drive\\batonpass", "MyDrive/batonpass"),
        ("G:/My Drive", "MyDrive"),
        ("/srv/runs", "MyDrive/batonpass"),
        ("gdrive://batonpass", "MyDrive/batonpass"),
    ],
)
def test_the_folder_on_the_mounted_drive_is_guessed_from_the_path(url: str, folder: str) -> None:
    assert guess_drive_folder(url) == folder


def test_putting_the_agent_on_an_empty_store_marks_it_as_ours(tmp_path: Path) -> None:
    from batonpass.streamlit_app.repository import Repository
    from batonpass.sync.root import open_root
    from batonpass.sync.stores import open_store

    repository = Repository(lambda: open_store(tmp_path / "new"), None)
    repository.put_agent()
    assert json.loads((tmp_path / "new" / naming.ROOT_FILE).read_text())["root_id"]
    assert open_root(open_store(tmp_path / "new"), create=True) == repository.root()


def test_a_store_on_the_drive_api_is_continued_through_the_api_unless_asked_otherwise() -> None:
    """What a mount writes, a token of the scope drive.file cannot see."""
    assert usual_target("gdrive://batonpass", "colab") is Target.COLAB
    assert usual_target("gdrive://batonpass", "kaggle") is Target.KAGGLE
    assert usual_target("gdrive://batonpass", "other") is Target.COLAB
    assert usual_target("/disk/Google Drive/My Drive/batonpass", "") is Target.COLAB_MOUNT
    assert usual_target("/disk/Google Drive/My Drive/batonpass", "kaggle") is Target.COLAB_MOUNT
    assert usual_target("/data/runs", "other") is Target.LOCAL
