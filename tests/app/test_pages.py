"""Every page on every kind of store: no traceback, and the sentence that matters is there."""

from __future__ import annotations

import ast
import builtins
import json
import re
import shutil
import sys
import threading
from pathlib import Path

import pytest
import streamlit as st

from batonpass.streamlit_app.components.checklist import first_day_steps
from batonpass.streamlit_app.condition import StoreCondition
from batonpass.streamlit_app.overview import read_overview
from batonpass.sync.room import Room
from batonpass.sync.stores import open_store

from .conftest import HOSTILE, PAGES, AppMaker, edit, words

ACTIVE = re.compile(r"(?<!\\)<img|(?<!\\)\[link\]|http://evil|:red\[|(?<!\\)\$x|www\\?\.evil")
"""What of the hostile name would do something if it were not disarmed."""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_any_store_says_what_to_do_next(app: AppMaker, page: str) -> None:
    at = app(page=page)
    assert not at.exception
    assert at.title


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_an_empty_store_has_no_traceback(app: AppMaker, page: str, tmp_path: Path) -> None:
    at = app(tmp_path / "nothing", page=page)
    assert not at.exception


@pytest.mark.parametrize("page", PAGES)
def test_a_page_on_a_store_with_runs_has_no_traceback(app: AppMaker, page: str, store: Path) -> None:
    at = app(store, page=page)
    assert not at.exception
    assert "Simulated" not in words(at)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_the_sample_says_that_it_is_simulated(app: AppMaker, page: str) -> None:
    at = app(page=page, look="sample")
    assert not at.exception
    assert "Simulated" in words(at)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_one_bare_session_has_no_traceback(app: AppMaker, page: str, one_session: Path) -> None:
    at = app(one_session, page=page)
    assert not at.exception


@pytest.mark.parametrize("page", PAGES)
def test_broken_and_hostile_files_are_named_calmly_and_the_page_stands(app: AppMaker, page: str, broken: Path) -> None:
    at = app(broken, page=page)
    assert not at.exception
    for element in [*at.markdown, *at.caption, *at.subheader, *at.info, *at.button]:
        text = element.label if element.type == "button" else element.value
        assert not ACTIVE.search(text), text


def test_broken_files_are_counted_on_the_morning_page(app: AppMaker, broken: Path) -> None:
    at = app(broken)
    assert any("could not be read" in e.label for e in at.expander)
    assert "digits" in words(at), "the run without its main file is named"


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_vanishes_leaves_the_story_with_its_age(app: AppMaker, page: str, store: Path) -> None:
    at = app(store, page=page)
    shutil.rmtree(store)
    read_again = [b for b in at.button if b.label == "Read again"]
    at = read_again[0].click().run()
    assert not at.exception
    if page != "settings":
        assert "does not answer" in words(at)


def test_a_store_that_vanished_before_the_start_is_told_from_what_was_kept(app: AppMaker, store: Path) -> None:
    app(store)
    st.cache_resource.clear()
    shutil.rmtree(store)
    store.write_text("a file where the folder was")
    at = app(store)
    at.run()
    assert not at.exception
    assert "cats" in words(at)


def test_behind_a_checkpoint_that_is_only_handed_over_both_numbers_stand(app: AppMaker, store: Path) -> None:
    """What would run again if it arrived, and if it did not; and the checklist says who proves it."""
    for path in store.glob("runs/cats-v2-*/sessions/*.json"):
        session = json.loads(path.read_text())
        edit(path, checkpoints=[each | {"proven": False} for each in session["checkpoints"]])
    said = words(app(store))
    assert "Handed over, not proven, at step **51,000**" in said
    assert "At risk: 120 steps, " in said
    assert "until the arrival of that checkpoint is proven" in said
    metrics = app(store, page="run", run="1a5e0000").metric
    assert any("120 since it was handed over" in str(m.delta) for m in metrics)


def test_a_session_that_saved_everything_is_not_called_unsaved_while_its_checkpoint_is_not_proven(
    app: AppMaker, store: Path
) -> None:
    for path in store.glob("runs/*/sessions/*.json"):
        session = json.loads(path.read_text())
        edit(path, checkpoints=[each | {"proven": False} for each in session["checkpoints"]])
    said = words(app(store))
    assert "Nothing is lost if that checkpoint arrives; 6,500 steps if it does not" in said
    assert ": 0 steps, 0 s" not in said


def test_the_checklist_says_who_proves_what_was_handed_over(store: Path) -> None:
    for path in store.glob("runs/*/sessions/*.json"):
        session = json.loads(path.read_text())
        edit(path, checkpoints=[each | {"proven": False} for each in session["checkpoints"]])
    last = first_day_steps(read_overview(open_store(store)), reachable=True, agent_there=True)[-1]
    assert not last.done
    assert "another computer than the notebook's" in last.how


@pytest.mark.parametrize("durable", [True, False])
def test_the_first_days_checklist_stays_until_a_checkpoint_is_durable(
    app: AppMaker, store: Path, *, durable: bool
) -> None:
    """With the button that it speaks of; afterwards nobody is asked for anything any more."""
    for folder in store.glob("runs/*"):
        if "cats-v2" not in folder.name:
            shutil.rmtree(folder)
    for path in store.glob("runs/*/sessions/*.json") if not durable else ():
        session = json.loads(path.read_text())
        edit(path, checkpoints=[each | {"proven": False} for each in session["checkpoints"]])
    at = app(store)
    assert ("A first checkpoint is durable** · to do" in words(at)) is not durable
    assert any(b.label.startswith("Put Batonpass") for b in at.button) is not durable


def test_the_morning_page_tells_what_is_live_durable_and_at_risk(app: AppMaker, store: Path) -> None:
    said = words(app(store))
    assert "1 run live" in said
    assert "Durable at step **51,000**" in said
    assert "failed" in said or "OutOfMemoryError" in said
    assert "your log, not a promise" in said


def test_the_morning_page_tells_what_a_live_session_is_sending(app: AppMaker, store: Path) -> None:
    """With its end; for sessions that are over, nothing."""
    sending = {"files": [["a*b*.safetensors", 1 << 20, 3 << 20]], "done_bytes": 1 << 20, "total_bytes": 3 << 20}
    for path in store.glob("runs/*/sessions/*.json"):
        edit(path, sync={"sending": {**sending, "bytes_per_s": 1 << 15}})
    said = words(app(store))
    assert said.count("as of its last sign of life") == 1
    assert "MB, 32\\.8 KB/s, 1 min 4 s left" in said
    assert "a\\*b\\*" in said


@pytest.mark.parametrize("sending", ["fast", {"files": [[]]}, {"files": [["a", 1, 2]], "done_bytes": -1}])
def test_nonsense_about_what_is_sent_is_nothing_to_tell(app: AppMaker, store: Path, sending: object) -> None:
    for path in store.glob("runs/*/sessions/*.json"):
        edit(path, sync={"sending": sending})
    at = app(store)
    assert not at.exception
    assert "as of its last sign of life" not in words(at)


def test_an_app_without_the_package_says_how_to_install_it(app: AppMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "batonpass.streamlit_app.components.frame", None)
    at = app()
    assert not at.exception
    assert "not installed" in at.title[0].value
    assert "pip install" in at.code[0].value


def test_an_archived_run_leaves_the_morning_page(app: AppMaker, store: Path) -> None:
    edit(next((store / "runs").glob("digits*")) / "annotations.json", archived=True)
    at = app(store)
    assert [s.value for s in at.subheader] == ["speech\\-distil", "cats\\-v2"]
    assert "1 archived" in words(at)


def test_one_click_on_the_morning_page_leads_to_the_cell_of_that_run(app: AppMaker, store: Path) -> None:
    at = app(store)
    button = next(b for b in at.button if b.key and b.key.startswith("resume-2a5e"))
    at = button.click().run()
    assert not at.exception
    assert at.title[0].value == "Resume"
    assert at.selectbox[0].value == "2a5e0001"


def test_the_run_page_draws_one_chart_with_words_for_it(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run="1a5e0000")
    charts = at.get("echarts_chart")
    assert len(charts) == 1
    assert "cats-v2 over 6 sessions" in charts[0].proto.alt


def test_a_runs_sessions_are_counted_alike_on_each_page(app: AppMaker, store: Path) -> None:
    on_card = next(line for line in words(app(store)).splitlines() if "branch" in line)
    assert "6 sessions and 1 branch" in on_card
    trained = next(m for m in app(store, page="run", run="1a5e0000").metric if m.label == "Time trained")
    assert trained.delta == "6 sessions and 1 branch"


@pytest.mark.parametrize("axis", ["step", "epoch", "hours of training", "clock time"])
@pytest.mark.parametrize("log", [False, True])
def test_the_curves_can_be_drawn_over_every_axis(app: AppMaker, store: Path, axis: str, log: bool) -> None:
    at = app(store, page="run", run="1a5e0000")
    at.selectbox(key="axis").select(axis)
    at.toggle(key="log").set_value(log)
    at.slider(key="weight").set_value(0.0)
    at = at.run()
    assert not at.exception
    assert at.get("echarts_chart")


def test_the_same_numbers_stand_in_a_table(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run="1a5e0000")
    at = at.segmented_control(key="as").select("Table").run()
    assert not at.exception
    table = at.dataframe[0].value
    assert {"metric", "step", "value", "counts", "session", "GPU"} <= set(table.columns)
    assert not table["counts"].all(), "steps that were run again are in the table, marked"


def test_a_hostile_name_reaches_the_page_as_text(app: AppMaker, broken: Path) -> None:
    at = app(broken, page="run", run="1a5e0000")
    options = at.selectbox[0].options
    assert any("<img src=x" in o for o in options), "select boxes show plain text, so the name stands there as it is"
    assert not any("\x1b" in o or "\u202e" in o for o in options)
    assert HOSTILE not in words(at)


def test_the_choice_of_the_sample_is_left_with_one_click(app: AppMaker) -> None:
    at = app(look="sample")
    at = next(b for b in at.button if b.label == "Leave the sample").click().run()
    assert "Simulated" not in words(at)
    assert "No run yet" in words(at)


def test_the_cells_of_the_first_day_stand_on_the_page_as_a_whole_and_take_the_users_number(
    app: AppMaker, tmp_path: Path
) -> None:
    (tmp_path / "drive").mkdir()
    at = app(tmp_path / "drive")
    at = at.number_input(key="first-goal").set_value(321).run()
    shown = at.code[0].value
    assert "account=" not in shown, "no label is needed"
    tree = ast.parse(shown)
    given = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    imported = {
        a.asname or a.name for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names
    }
    own = {"model", "optimizer", "loader", "train_step"}
    assert used - given - imported - own - set(dir(builtins)) == set()
    assert "goal_steps=321" in shown


def test_the_cell_of_the_first_day_takes_the_label_of_the_account_it_will_run_at(app: AppMaker, tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    at = app(tmp_path / "drive")
    label = at.selectbox(key="first-label")
    label.options.append("school")  # typed by the user: nobody has used one here before
    at = label.set_value("school").run()
    assert not at.exception
    assert "account='school'," in at.code[0].value


def test_a_page_that_breaks_says_in_our_words_that_the_runs_are_not_touched(
    app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonpass.streamlit_app.components.page.read_standing", lambda *_, **__: 1 / 0)
    at = app(store, page="machines")
    assert at.exception, "it is not hidden"
    assert "not touched by that" in words(at)


def test_the_empty_state_leads_into_the_sample_with_one_click(app: AppMaker) -> None:
    at = app()
    at = next(b for b in at.button if b.label.startswith("Look around")).click().run()
    assert not at.exception
    assert "Simulated" in words(at)
    assert "cats" in words(at)


def test_a_session_that_another_has_taken_over_from_is_not_called_live(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run="1a5e0000")
    words_by_number = dict(zip(at.dataframe[0].value[""], at.dataframe[0].value["How it stands"], strict=True))
    assert words_by_number[1] == "continued by another"
    assert words_by_number[6] == "live"


def test_who_owns_the_bytes_is_shown_with_each_checkpoint_and_in_sum(app: AppMaker, store: Path) -> None:
    table = next(
        frame.value for frame in app(store, page="run").dataframe if "Owner" in getattr(frame.value, "columns", ())
    )
    assert set(table["Owner"]) == {"you"}
    said = [caption.value for caption in app(store, page="settings").caption]
    assert any("owned and paid for by: you" in text for text in said)


@pytest.mark.parametrize("page", PAGES)
def test_a_far_store_that_was_never_seen_is_said_to_be_read_and_never_called_empty(
    app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    from batonpass.streamlit_app import choice

    arrived = threading.Event()
    real = choice.open_store

    def slow(url: str) -> object:
        assert arrived.wait(60)
        return real(url)

    monkeypatch.setattr(choice, "open_store", slow)
    monkeypatch.setattr(choice, "FIRST_WAIT_S", 0.05)
    at = app(store, page=page)
    arrived.set()
    assert not at.exception
    assert "Reading the store for the first time" in words(at)
    assert "No run" not in words(at)


def test_a_store_that_cannot_be_opened_is_not_called_empty(app: AppMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", "{half a token")
    at = app("gdrive://batonpass")
    assert not at.exception
    assert "not signed in" in words(at)
    assert "No run yet" not in words(at)


@pytest.mark.parametrize(
    ("room", "says"),
    [
        (None, "is not known"),
        (Room(0, 0), "is not known"),
        (Room(3 * 10**9, 15 * 10**9), "12.0 GB of 15.0 GB used, 3.0 GB free"),
        (Room(10**9, 15 * 10**9, 2 * 10**9, "ann*@example.org"), "2.0 GB of that lie in the trash"),
        (Room(0, 15 * 10**9, owner="ann*@example.org"), "on the Drive of ann\\*@"),
    ],
)
def test_settings_say_how_full_it_is_where_the_store_lies(
    app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch, room: Room | None, says: str
) -> None:
    monkeypatch.setattr("batonpass.streamlit_app.repository.read_condition", lambda *_: StoreCondition(room))
    at = app(store, page="settings")
    assert not at.exception
    assert says in words(at) + " ".join(bar.proto.text for bar in at.get("progress"))
