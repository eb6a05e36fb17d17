"""A store that takes a call and never answers: every page comes all the same, from what is kept, and says what it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from batonpass.core.errors import StoreUnreachableError
from batonpass.streamlit_app.fetching import KEPT, Fetching, StillReadingError
from batonpass.streamlit_app.repository import Repository
from batonpass.sync.agent import put_agent
from batonpass.sync.reading import read_root
from batonpass.sync.stores import open_store

from .conftest import PAGES, AppMaker, words

NAME = r"cats\-v2"


class Hanging:
    """A store whose every call waits once `answers` is cleared; `asked` names those that do."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.answers.set()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if not callable(real):
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.answers.is_set():
                self.asked.append(name)
            self.answers.wait()
            return real(*args, **kwargs)

        return call


@pytest.fixture
def hanging(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hanging]:
    """The sample's files with the agent, behind calls that may hang; nothing is waited for on a page."""
    put_agent(open_store(str(store)))
    found = Hanging(open_store(str(store)))
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("batonpass.streamlit_app.choice.open_store", lambda _url: found)
    monkeypatch.setattr("batonpass.streamlit_app.choice.FIRST_WAIT_S", 0.01)
    yield found
    found.answers.set()


@pytest.fixture
def kept(hanging: Hanging, app: AppMaker, monkeypatch: pytest.MonkeyPatch) -> Hanging:
    """The same, after a visit that kept the story on this computer, as a fresh start of the app finds it."""
    with monkeypatch.context() as patient:
        patient.setattr("batonpass.streamlit_app.choice.FIRST_WAIT_S", 60.0)
        assert NAME in words(app("gdrive://batonpass"))
    st.cache_resource.clear()
    hanging.answers.clear()
    return hanging


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_though_the_store_never_answers(kept: Hanging, app: AppMaker, page: str) -> None:
    at = app("gdrive://batonpass", page=page)
    assert not at.exception
    assert len(words(at)) > 100
    assert kept.asked


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_though_a_store_that_was_never_seen_does_not_answer(
    hanging: Hanging, app: AppMaker, page: str
) -> None:
    hanging.answers.clear()
    at = app("gdrive://batonpass", page=page)
    assert not at.exception
    assert "Reading the store for the first time" in words(at)


def test_the_cell_of_resume_is_whole_from_what_is_kept(kept: Hanging, app: AppMaker) -> None:
    at = app("gdrive://batonpass", page="resume")
    cell = at.code[-1].value
    assert "root_id=" in cell
    assert ".whl" in cell


def test_the_files_of_a_checkpoint_are_waited_for_in_their_place(kept: Hanging, app: AppMaker) -> None:
    at = app("gdrive://batonpass", page="resume")
    at.session_state["files"] = True
    at.run()
    assert not at.exception
    assert "The list of its files is still being read" in words(at)


def test_curves_are_waited_for_in_their_place_and_drawn_once_they_are_there(
    kept: Hanging, app: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = app("gdrive://batonpass", page="run")
    assert "What was logged is still being read" in words(at)
    assert not at.get("vega_lite_chart")
    kept.answers.set()
    monkeypatch.setattr("batonpass.streamlit_app.fetching.wait", lambda asked, _patience_s: asked[0].exception(60))
    at.run()
    assert not at.exception
    assert "still being read" not in words(at)


def test_the_button_that_reads_again_does_not_wait(kept: Hanging, app: AppMaker) -> None:
    at = app("gdrive://batonpass")
    next(b for b in at.button if b.label == "Read again").click().run()
    assert not at.exception
    assert NAME in words(at)


def test_the_control_a_page_that_asks_the_store_itself_does_not_come(
    kept: Hanging, app: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repository, "root", lambda self: self.through(read_root))
    at = app("gdrive://batonpass")
    page = threading.Thread(target=at.switch_page("views/resume.py").run)
    page.start()
    deadline = time.monotonic() + 60
    while "get" not in kept.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "get" in kept.asked, "only the page asks for a file: the reading in the background waits for its first list"
    assert page.is_alive()
    kept.answers.set()
    page.join(60)
    assert not page.is_alive()


def test_an_answer_is_handed_out_once_and_asked_for_once_meanwhile() -> None:
    go, begun = threading.Event(), []

    def work() -> int:
        begun.append(1)
        go.wait()
        return len(begun)

    fetching = Fetching(0.01)
    with pytest.raises(StillReadingError) as late:
        fetching.get("key", "it", work)
    with pytest.raises(StillReadingError):
        fetching.get("key", "it", work)
    assert not late.value.is_over()
    go.set()
    patient = Fetching(60)
    patient._asked = fetching._asked
    assert patient.get("key", "it", work) == 1
    assert late.value.is_over()
    assert patient.get("key", "it", work) == 2


def test_an_error_comes_to_whoever_asks_and_is_asked_again() -> None:
    def fail() -> None:
        raise StoreUnreachableError("no answer")

    fetching = Fetching(60)
    for _ in range(KEPT + 5):
        with pytest.raises(StoreUnreachableError, match="no answer"):
            fetching.get("key", "it", fail)
    assert not fetching._asked
