"""The app as a person sees it: a real server, a real Chromium. Without a browser these are skipped and say "not run"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from batonpass.streamlit_app.sample import write_sample

from .conftest import HOSTILE, edit, write_files
from .live_app import PAGES, in_browser, serve, settle

pytestmark = in_browser
PICTURED = ("light", "dark", "phone")


@pytest.fixture(scope="module")
def user_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the user's own with a wheel of the agent, one run of which has a hostile title."""
    files: dict[str, tuple[bytes, datetime]] = {}
    write_sample(lambda key, body, at: files.__setitem__(key, (body, at)), now=datetime.now(UTC))
    files["agent/batonpass-0.1.0-py3-none-any.whl"] = (b"a wheel", datetime.now(UTC))
    root = write_files(tmp_path_factory.mktemp("browser") / "store", files)
    edit(next((root / "runs").glob("speech*")) / "annotations.json", title=HOSTILE, tags=[HOSTILE])
    return root


@pytest.fixture(scope="module")
def address(user_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("home"), store=str(user_store)) as found:
        yield found


def check_whole(page: Any) -> None:
    """No traceback, nothing wider than the window, something to read."""
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    wide = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid="stMainBlockContainer"] > div *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.checkVisibility())
            .filter(e => !e.closest('pre, [data-testid="stDataFrame"], [role="tablist"], [data-testid="stTabs"]'))
            .filter(e => getComputedStyle(e.parentElement).clipPath === 'none').length"""  # a slider's input is there for screen readers alone
    )
    assert wide == 0, f"{wide} elements reach out of the window"
    assert len(page.locator('[data-testid="stMain"]').inner_text()) > 100


@pytest.mark.parametrize("look", PICTURED)
def test_every_page_is_whole_and_never_scrolls_sideways(address: str, open_tab: Any, look: str) -> None:
    page = open_tab(look)
    for name in PAGES:
        page.goto(f"{address}/{name}")
        settle(page)
        check_whole(page)
    colour = page.evaluate("() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor")
    shade = sum(int(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3])
    assert shade < 150 if look == "dark" else shade > 700


def test_from_the_morning_page_over_the_run_to_the_copied_cell(address: str, open_tab: Any) -> None:
    page = open_tab()
    page.goto(address)
    settle(page)
    card = page.locator('[data-testid="stVerticalBlock"]').filter(has_text="cats-v2").last
    card.get_by_role("button", name="Look at it").click()
    page.wait_for_selector("h1:has-text('Run')")
    settle(page)
    assert "run=1a5e0000" in page.url
    page.wait_for_selector('[data-testid="stEChartsChart"] canvas')
    assert page.get_by_test_id("stMain").get_by_role("button", name="Resume").count() == 0, "it is live"
    page.get_by_role("link", name="Resume").click()
    page.wait_for_selector("h1:has-text('Resume')")
    settle(page)
    page.get_by_text("My computer").click()
    page.wait_for_function("() => document.querySelector('[data-testid=\"stCode\"]')?.innerText.includes('sha256')")
    code = page.locator('[data-testid="stCode"]')
    code.hover()
    code.get_by_role("button").first.click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "1a5e0000" in copied
    assert "batonpass" in copied
    compile(copied.replace("%pip", "#"), "cell", "exec")


def test_a_hostile_title_is_only_text_in_the_browser(address: str, open_tab: Any) -> None:
    page = open_tab()
    alarms = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    for name in ("run?run=2a5e0001", "resume?run=2a5e0001", "settings", ""):
        page.goto(f"{address}/{name}")
        settle(page)
        assert not alarms
        assert page.locator('img[src="x"], a[href*="evil"], .katex').count() == 0
    shown = page.locator('[data-testid="stMain"] h3').all_inner_texts()
    assert any("<img src=x onerror=alert(1)> **bold**" in text for text in shown), shown


def test_times_stand_in_the_zone_of_the_browser(address: str, open_tab: Any, user_store: Path) -> None:
    page = open_tab()
    page.goto(f"{address}/run?run=1a5e0000")
    settle(page)
    page.get_by_role("tab", name="Notes").click()
    note = min((next((user_store / "runs").glob("cats*")) / "notes").glob("note-1.json")).read_text()
    written = datetime.fromisoformat(note.split('"written_at": "')[1].split('"')[0])
    page.get_by_text(f"{written.astimezone(ZoneInfo('Asia/Tokyo')):%a %d %b, %H:%M}").first.wait_for()


def test_a_note_typed_in_the_browser_stays_on_the_store(address: str, open_tab: Any, user_store: Path) -> None:
    page = open_tab()
    page.goto(f"{address}/run?run=3a5e0002")
    settle(page)
    page.get_by_role("tab", name="Notes").click()
    page.get_by_label("New note").fill("typed in the browser")
    page.get_by_role("button", name="Keep this note").click()
    page.wait_for_selector('[data-testid="stMarkdown"]:has-text("typed in the browser")')
    notes = next((user_store / "runs").glob("digits*")) / "notes"
    assert any("typed in the browser" in f.read_text() for f in notes.iterdir())


def test_the_sample_is_one_click_from_the_empty_state(open_tab: Any, tmp_path: Path) -> None:
    with serve(tmp_path) as empty:
        page = open_tab()
        page.goto(empty)
        settle(page)
        check_whole(page)
        page.get_by_role("button", name="Look around in the simulated sample").click()
        page.wait_for_selector("text=cats-v2")
        page.reload()
        settle(page)
        assert page.get_by_text("Simulated").count() >= 1, "a reload stays in the sample"
        check_whole(page)
