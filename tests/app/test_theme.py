"""Light or dark: the choice in Settings, what the next start makes of it, and Streamlit's own menu."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batonpass.core.settings import read_settings
from batonpass.streamlit_app.components.appearance import DARK_BACKGROUND
from batonpass.streamlit_app.preferences import Preferences, load_preferences, preferences_file, save_preferences
from batonpass.sync.commands.app import theme_options

from .conftest import AppMaker, words
from .live_app import APP, in_browser, serve, settle

LIGHT, DARK = "rgb(253, 252, 250)", "rgb(22, 26, 27)"


def test_the_choice_is_remembered_and_the_page_says_from_when_on_it_counts(app: AppMaker, store: Path) -> None:
    at = app(store, page="settings")
    assert load_preferences().theme == "system"
    at = at.segmented_control(key="theme").set_value("dark").run()
    assert not at.exception
    assert load_preferences().theme == "dark"
    assert "from the next start with" in words(at)


@pytest.mark.parametrize(("chosen", "other"), [("dark", "light"), ("light", "dark")])
def test_the_next_start_gives_both_palettes_the_chosen_colours(chosen: str, other: str) -> None:
    save_preferences(Preferences(theme=chosen))
    options = theme_options(APP)
    assert len(options) > 10
    assert all(option.startswith(f"--theme.{other}.") for option in options)


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b'{"theme": 5}', b'{"theme": "system"}', b'{"theme": "font"}']
)
def test_nothing_chosen_or_nothing_readable_leaves_it_to_the_system(content: bytes | None) -> None:
    if content is not None:
        preferences_file().parent.mkdir(parents=True, exist_ok=True)
        preferences_file().write_bytes(content)
    assert read_settings().home == preferences_file().parent
    assert theme_options(APP) == []


def test_the_dark_background_is_the_one_of_the_configuration() -> None:
    assert f'backgroundColor = "{DARK_BACKGROUND}"' in (APP.parent / ".streamlit" / "config.toml").read_text("utf-8")


def background(page: Any) -> str:
    return str(
        page.evaluate("() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor")
    )


class TestInTheBrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize(("chosen", "colour"), [("dark", DARK), ("light", LIGHT)])
    def test_a_start_with_a_choice_has_its_colours_whatever_the_system_wants(
        self, chromium: Any, tmp_path: Path, chosen: str, colour: str
    ) -> None:
        save_preferences(Preferences(theme=chosen))
        with serve(tmp_path, options=theme_options(APP)) as address:
            for scheme in ("light", "dark"):
                page = chromium.new_page(color_scheme=scheme)
                page.goto(f"{address}/settings?look=sample")
                settle(page)
                assert background(page) == colour
                assert page.get_by_text("At once, in this browser alone").count() == 0
                page.close()

    def test_the_menu_that_the_page_names_is_there_and_switches_at_once(self, chromium: Any, tmp_path: Path) -> None:
        with serve(tmp_path) as address:
            page = chromium.new_page(color_scheme="light")
            page.goto(f"{address}/settings?look=sample")
            settle(page)
            assert background(page) == LIGHT
            page.get_by_text("At once, in this browser alone").wait_for()
            page.get_by_test_id("stMainMenu").click()
            page.get_by_role("menuitemradio").filter(has_text="Dark").click()
            page.wait_for_function(
                f"""() => getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor === "{DARK}" """
            )
            page.close()
