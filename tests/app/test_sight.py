"""An open page is drawn again when it has something else to say, and not when nothing is new."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from batonpass.streamlit_app.overview import Overview, read_overview
from batonpass.streamlit_app.sight import sight
from batonpass.sync.stores import open_store

from .conftest import AppMaker, words


def live_session_file(store: Path) -> Path:
    return max(store.glob("runs/*/sessions/*.json"), key=lambda p: p.stat().st_mtime)


@pytest.fixture
def story(store: Path) -> Overview:
    """One session of it lives."""
    return read_overview(open_store(str(store)))


def later(story: Overview, seconds: float) -> Overview:
    return replace(story, read_at=story.read_at + timedelta(seconds=seconds))


def test_nothing_new_is_nothing_to_draw(story: Overview) -> None:
    assert sight(story, mount=False) == sight(later(story, 20), mount=False)
    assert sight(None, mount=False) is None


def test_a_machine_that_died_without_a_word_does_not_stay_live_on_an_open_page(story: Overview) -> None:
    seen = [sight(later(story, minutes * 60), mount=False) for minutes in (0, 3, 4, 6, 30)]
    assert len(set(seen)) == len(seen)


def test_a_long_silence_is_drawn_once(story: Overview) -> None:
    assert sight(later(story, 4 * 3600), mount=False) == sight(later(story, 9 * 3600), mount=False)


def test_a_quiet_run_is_called_quiet_everywhere_on_the_morning_page(app: AppMaker, store: Path) -> None:
    """No speed, nothing that counts it as live, the age of its last word, and a way on for who knows better."""
    import os

    path = live_session_file(store)
    at = path.stat().st_mtime - 200
    os.utime(path, (at, at))
    page = app(store)
    said = words(page)
    assert "**1 run quiet**" in said
    assert "live**" not in said
    assert "steps/s this session" not in said
    assert "at its last sign of life, 3 min" in said
    assert [b.label for b in page.button].count("Resume") == 2
