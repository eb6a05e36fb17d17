"""The ways that people take through the app, one of them with the keyboard alone, and somebody else's Drive in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from batonpass.streamlit_app.sample import write_sample

from .conftest import write_files
from .hostile import TEXTS, add_hostile_metrics, poison, text_poison
from .live_app import PAGES, in_browser, serve, settle

pytestmark = in_browser
MOST_TABS = 250
FOCUSED = """() => {
    const e = document.activeElement
    if (!e?.matches('button, a, input, textarea, summary, [role]') || e.matches('section, [role=main]')) return ''
    const names = [e.getAttribute('aria-label'), e.innerText, e.title, e.dataset.testid]
    return names.map(name => (name || '').trim()).filter(name => name)[0] || '?'
}"""
INJECTED = (
    'img[src="x"], a[href*="evil"], a[href^="javascript"], [data-testid="stMain"] script, .katex, img[src*="evil"]'
)


def tab_to(page: Any, wanted: str, *, within: str = "body") -> None:
    """Presses Tab until the thing called `wanted` inside `within` has the focus, as a person without a mouse would."""
    passed = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        name = page.evaluate(FOCUSED)
        inside = page.evaluate("(within) => !!document.activeElement?.closest(within)", within)
        if wanted in name and inside:
            return
        passed.append(name[:40])
    raise AssertionError(f"{wanted!r} is not reached with Tab; passed: {passed[:60]}")


def test_from_the_empty_app_to_the_notebook_that_continues_with_the_keyboard_alone(
    open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    with serve(tmp_path) as address:
        page = open_tab()
        page.goto(address)
        settle(page)
        tab_to(page, "Look around in the simulated sample")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=cats-v2")
        settle(page)
        tab_to(page, "Look at it", within='[data-testid="stMain"]')
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Run')")
        settle(page)
        tab_to(page, "Resume", within='[data-testid="stMain"]')
        page.keyboard.press("Space")
        page.wait_for_selector("h1:has-text('Resume')")
        settle(page)
        if not page.locator(
            '[data-testid="stCode"]'
        ).count():  # the sample's store has no agent that a cell could install
            tab_to(page, "Put the agent", within='[data-testid="stMain"]')
            page.keyboard.press("Enter")
        page.wait_for_selector('[data-testid="stCode"]')
        settle(page)
        tab_to(page, "Download as a notebook", within='[data-testid="stMain"]')
        with page.expect_download() as waiting:  # Tab passes by the copy button, which Streamlit shows to a mouse only
            page.keyboard.press("Enter")
        cells = json.loads(Path(waiting.value.path()).read_text())["cells"]
        assert any("batonpass" in "".join(cell["source"]) for cell in cells)


def test_the_way_back_and_a_reload_stay_where_one_was(open_tab: Callable[..., Any], tmp_path: Path) -> None:
    with serve(tmp_path) as address:
        page = open_tab()
        page.goto(f"{address}/?look=sample")
        settle(page)
        page.get_by_test_id("stMain").get_by_role("button", name="Look at it").first.click()
        page.wait_for_selector("h1:has-text('Run')")
        settle(page)
        where = page.url
        page.reload()
        settle(page)
        assert page.locator("h1").inner_text() == "Run"
        assert page.url == where
        page.go_back()
        page.wait_for_selector("h1:has-text('Morning')")
        settle(page)
        assert page.get_by_text("Simulated").count() >= 1


@pytest.fixture(scope="module", params=["markup", "script", "paths", "quotes"])
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on somebody else's Drive: every text in it hostile, and the names of the metrics too."""
    files: dict[str, tuple[bytes, datetime]] = {}
    write_sample(lambda key, body, at: files.__setitem__(key, (body, at)), now=datetime.now(UTC))
    folder = tmp_path_factory.mktemp("hostile")
    store = write_files(folder / "store", files)
    poison(store, text_poison(TEXTS[request.param]))
    add_hostile_metrics(store, "speech")
    (folder / "home").mkdir()
    with serve(folder / "home", store=str(store)) as found:
        yield found


class Witness:
    """What a page must never do: open a dialog, ask another host, raise an error in a script of its own."""

    def __init__(self, page: Any, address: str) -> None:
        self.seen: list[str] = []
        own = urlsplit(address).netloc
        page.on("dialog", lambda dialog: (self.seen.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.seen.append(f"error {error}"))
        page.on("popup", lambda popup: self.seen.append(f"popup {popup.url}"))
        page.on("request", lambda request: self._asked(request.url, own))

    def _asked(self, url: str, own: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != own:
            self.seen.append(f"request {url}")


def test_somebody_elses_drive_runs_nothing_and_asks_nobody(hostile: str, open_tab: Callable[..., Any]) -> None:
    page = open_tab()
    witness = Witness(page, hostile)
    for name in PAGES:
        for run in ("1a5e0000", "2a5e0001") if name in ("run", "resume") else ("",):
            page.goto(f"{hostile}/{name}?run={run}" if run else f"{hostile}/{name}")
            settle(page)
            assert page.locator('[data-testid="stException"]').count() == 0, name
            for tab in page.get_by_role("tab").all():
                tab.click()
            for chart in page.locator('[data-testid="stEChartsChart"]').all():
                box = chart.bounding_box()
                for share in (0.3, 0.6) if box else ():
                    page.mouse.move(box["x"] + share * box["width"], box["y"] + 120)
                    page.wait_for_timeout(100)
                    assert page.locator(INJECTED).count() == 0, f"the hover of {name}"
            assert page.locator(INJECTED).count() == 0, name
            assert page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth"), (
                f"{name} scrolls sideways"
            )
    assert not witness.seen


def test_a_download_from_somebody_elses_drive_has_a_harmless_name(hostile: str, open_tab: Callable[..., Any]) -> None:
    page = open_tab()
    page.goto(f"{hostile}/resume?run=1a5e0000")
    settle(page)
    page.get_by_text("Only torch").click()
    page.wait_for_selector('[data-testid="stDownloadButton"]')
    with page.expect_download() as waiting:
        page.locator('[data-testid="stDownloadButton"] button').first.click()
    name = waiting.value.suggested_filename
    assert Path(name).name == name
    assert not set(name) & set('\\/:*?"<>|\0\n')
    assert not name.startswith(".")
