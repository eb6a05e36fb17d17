"""What the user writes in the app is kept on the store: notes, titles, plans, prices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batonpass.core import naming

from .conftest import AppMaker, edit, words


def test_a_note_on_a_run_is_one_small_file_on_the_store(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run="1a5e0000")
    at.text_area[0].input("the lamp was off")
    at = next(b for b in at.button if b.label == "Keep this note").click().run()
    assert not at.exception
    assert "the lamp was off" in words(at)
    notes = next((store / "runs").glob("cats*")) / "notes"
    assert sum("the lamp was off" in f.read_text() for f in notes.iterdir()) == 1


def test_a_title_and_tags_change_what_is_shown_and_never_the_folder(app: AppMaker, store: Path) -> None:
    folders = sorted(f.name for f in (store / "runs").iterdir())
    at = app(store, page="run", run="1a5e0000")
    at.text_input[0].input("Cats, final")
    at.text_input[1].input("thesis, thesis, night")
    at = next(b for b in at.button if b.label == "Keep").click().run()
    assert not at.exception
    kept = json.loads((next((store / "runs").glob("cats*")) / "annotations.json").read_text())
    assert kept["title"] == "Cats, final"
    assert kept["tags"] == ["thesis", "night"]
    assert at.selectbox[0].options[0] == "Cats, final"
    assert sorted(f.name for f in (store / "runs").iterdir()) == folders


def test_keeping_the_form_unchanged_changes_neither_goal_nor_deadline(app: AppMaker, store: Path) -> None:
    path = next((store / "runs").glob("cats*")) / "annotations.json"
    before = json.loads(path.read_text())
    at = app(store, page="run", run="1a5e0000")
    at = next(b for b in at.button if b.label == "Keep").click().run()
    after = json.loads(path.read_text())
    assert not at.exception
    assert after["goal_steps"] == before["goal_steps"]
    assert after["deadline"][:16] == before["deadline"][:16]


def test_plan_price_and_units_are_kept_with_the_moment_they_were_read(app: AppMaker, store: Path) -> None:
    at = app(store, page="accounts")
    at = at.pills[0].set_value("school").run()
    at.text_input[0].input("Pro")
    at.number_input[1].set_value(40.0)
    at = next(b for b in at.button if b.label == "Keep").click().run()
    assert not at.exception
    kept = json.loads((store / naming.account_file("school")).read_text())
    assert kept["plan"] == "Pro"
    assert kept["units"] == 40.0
    assert kept["units_seen_at"]


def test_a_note_on_an_account_nobody_wrote_about_is_kept_and_shown(app: AppMaker, store: Path) -> None:
    (store / naming.account_file("lab PC")).unlink()
    at = app(store, page="accounts")
    at = at.pills[0].set_value("lab PC").run()
    at.text_area[0].input("quiet at night")
    at = next(b for b in at.button if b.label == "Keep this note").click().run()
    assert not at.exception
    assert "quiet at night" in words(at)


def test_two_accounts_of_one_provider_on_one_run_within_a_day_get_one_calm_line(
    app: AppMaker, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = words(app(store, page="accounts"))
    assert "within 24 hours" not in said
    cats = next((store / "runs").glob("cats*"))
    sessions = sorted((cats / "sessions").iterdir())
    last, other = sessions[-1], sessions[2]
    began = json.loads(last.read_text())["started_at"]
    edit(other, started_at=began, heartbeat_at=began)
    import streamlit as st

    st.cache_resource.clear()
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "a home that keeps no older story"))
    said = words(app(store, page="accounts"))
    assert "within 24 hours" in said
    assert "your own computer" in said


@pytest.mark.parametrize("page", ["morning", "run", "machines", "accounts", "resume", "settings"])
def test_no_page_names_or_ranks_a_next_account(app: AppMaker, store: Path, page: str) -> None:
    said = words(app(store, page=page)).lower()
    for word in ("next account", "switch account", "use another account", "best account", "try account"):
        assert word not in said


def test_the_store_chosen_in_settings_is_remembered_on_this_computer(app: AppMaker, store: Path) -> None:
    at = app(page="settings")
    at.text_input[0].input(str(store))
    at = next(b for b in at.button if b.label == "Use this store").click().run()
    assert not at.exception
    assert "cats" in words(app())


def test_the_pet_is_chosen_once(app: AppMaker, store: Path) -> None:
    at = app(store, page="settings")
    at = at.segmented_control(key="pet").set_value("kitty").run()
    assert not at.exception
    pictures = app(store).get("image")
    assert len(pictures) == 1
    assert "kitty" in str(pictures[0].proto)


def test_what_is_new_since_the_last_visit_is_told_at_the_next_one(app: AppMaker, store: Path) -> None:
    import os

    app(store)
    kept = Path(os.environ["BATONPASS_HOME"]) / "app.json"
    tree = json.loads(kept.read_text())
    visit = tree["visits"][str(store)]
    visit |= {"seen_at": "2026-01-01T00:00:00Z", "steps": {**visit["steps"], "1a5e0000": 50_000}}
    kept.write_text(json.dumps(tree))
    said = words(app(store))
    assert "Since your last visit: +1,120 steps" in said
    assert "nothing new" not in said.split("cats")[0] or "sessions begun" in said
