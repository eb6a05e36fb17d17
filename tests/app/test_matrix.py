"""Every page on every kind of store a person may have, at once: no traceback, no HTML, words for every picture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import streamlit as st

from .conftest import PAGES, AppMaker, words, write_files
from .tree import check_tree

Sample = dict[str, tuple[bytes, datetime]]
STATES = (
    "nothing",
    "empty",
    "demo",
    "sample",
    "one session",
    "twelve sessions",
    "broken files",
    "not a folder",
    "Drive down",
)
DOWN = STATES[-2:]


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo's own training writes: real steps, real metrics, real checkpoints, one session."""
    folder = tmp_path_factory.mktemp("demo")
    environment = os.environ | {"BATONPASS_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "batonpass.demo.training", "--store", str(folder / "store"), "--steps", "40"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "store"


@pytest.fixture
def state_of(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sample_bytes: Sample
) -> Callable[[str], Path | str | None]:
    """Makes the store of a state; None where no store is chosen."""

    def make(state: str) -> Path | str | None:
        if state in ("nothing", "sample"):
            return None
        if state == "empty":
            return tmp_path / "empty"
        if state == "demo":
            return Path(shutil.copytree(request.getfixturevalue("demo_store"), tmp_path / "demo"))
        if state == "not a folder":
            down = tmp_path / "down"
            down.write_text("a file where the folder should be")
            return down
        if state == "Drive down":
            token = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
            monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", json.dumps(token))
            monkeypatch.setenv("BATONPASS_DRIVE_ENDPOINT", "http://127.0.0.1:9")  # discard: nobody answers
            return "gdrive://batonpass"
        if state == "twelve sessions":
            return write_files(tmp_path / "twelve", sample_bytes)
        fixtures = {"one session": "one_session", "broken files": "broken"}
        return Path(request.getfixturevalue(fixtures[state]))

    return make


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", STATES)
def test_every_page_stands_on_every_store(
    app: AppMaker, state_of: Callable[[str], Path | str | None], state: str, page: str
) -> None:
    at = app(state_of(state), page=page, look="sample" if state == "sample" else None)
    check_tree(at)
    said = words(at)
    assert len(said) > 60, "a page that says nothing"
    assert ("Simulated" in said) == (state == "sample")
    if state in DOWN:
        assert "does not answer" in said or page == "settings"


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_comes_back_is_shown_again(app: AppMaker, tmp_path: Path, sample_bytes: Sample, page: str) -> None:
    store = write_files(tmp_path / "store", sample_bytes)
    at = app(store, page=page)
    store.rename(tmp_path / "away")
    at = next(b for b in at.button if b.label == "Read again").click().run()
    check_tree(at)
    (tmp_path / "away").rename(store)
    at = next(b for b in at.button if b.label == "Read again").click().run()
    check_tree(at)
    assert "does not answer" not in words(at)


def test_two_tabs_on_one_store_stand_beside_each_other(app: AppMaker, tmp_path: Path, sample_bytes: Sample) -> None:
    store = write_files(tmp_path / "store", sample_bytes)
    tabs = [app(store, page=page, run="1a5e0000") for page in ("run", "run", "morning")]
    shutil.rmtree(next((store / "runs").glob("digits*")))
    for tab in tabs:
        check_tree(next(b for b in tab.button if b.label == "Read again").click().run())
    assert "digits" not in words(tabs[2])


def test_a_link_to_a_run_that_is_gone_shows_another_one(app: AppMaker, tmp_path: Path, sample_bytes: Sample) -> None:
    store = write_files(tmp_path / "store", sample_bytes)
    for page in ("run", "resume"):
        st.cache_resource.clear()
        for run in ("ffffffff", "../../etc", "<script>", "", "1a5e0000' OR 1"):
            check_tree(app(store, page=page, run=run))
