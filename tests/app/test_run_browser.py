"""The Run page in a real Chromium: brushing, the keyboard, the picture, and silence while nothing changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batonpass.streamlit_app.sample import write_sample

from .conftest import write_files
from .live_app import find_chromium, serve, settle

REQUIRED = os.environ.get("BATONPASS_REQUIRE_BROWSER") == "1"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        find_chromium() is None and not REQUIRED, reason="not run: there is no Chromium on this machine"
    ),
]
CANVAS = '[data-testid="stEChartsChart"] canvas'


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    files: dict[str, tuple[bytes, datetime]] = {}
    write_sample(lambda key, body, at: files.__setitem__(key, (body, at)), now=datetime.now(UTC))
    root = write_files(tmp_path_factory.mktemp("run-browser") / "store", files)
    with serve(tmp_path_factory.mktemp("home"), store=str(root)) as found:
        yield found


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 1400}, timezone_id="Europe/Berlin")
    tab = context.new_page()
    tab.sent = []
    tab.on("websocket", lambda socket: socket.on("framereceived", lambda frame: tab.sent.append(len(frame))))
    tab.goto(f"{address}/run?run=1a5e0000&metrics=loss")
    settle(tab)
    tab.wait_for_selector(CANVAS)
    yield tab
    context.close()


def test_brushing_a_part_of_the_curves_becomes_the_range_and_the_address(page: Any) -> None:
    page.wait_for_timeout(500)
    box = page.locator(CANVAS).first.bounding_box()
    left, width = box["x"] + 64, box["width"] - 80
    page.mouse.click(box["x"] + box["width"] - 43, box["y"] + 24)
    page.mouse.move(left + 0.4 * width, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(left + 0.6 * width, box["y"] + 210, steps=6)
    page.mouse.up()
    page.get_by_role("button", name="Show all").wait_for()
    page.wait_for_url(lambda url: "from=" in url and "to=" in url)
    ends = dict(part.split("=") for part in page.url.split("?")[1].split("&"))
    assert float(ends["from"]) == pytest.approx(0.4 * 51_120, rel=0.02)
    assert float(ends["to"]) == pytest.approx(0.6 * 51_120, rel=0.02)
    page.reload()
    settle(page)
    page.get_by_text("From step 2").first.wait_for()


def test_the_range_is_reached_and_typed_by_keyboard_alone(page: Any) -> None:
    page.get_by_role("combobox", name="Metrics").focus()
    _tab_to(page, "document.activeElement.innerText.includes('Find, range and compare')")
    page.keyboard.press("Enter")
    page.get_by_label("From", exact=True).wait_for()
    _tab_to(page, "document.activeElement.getAttribute('aria-label') === 'From'")
    page.keyboard.type("24000")
    page.keyboard.press("Enter")
    page.get_by_text("From step 24,000 to the end").wait_for()
    assert "from=24000" in page.url


def _tab_to(page: Any, is_there: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => {is_there}"):
            return
    raise AssertionError(f"the Tab key never came to where {is_there}")


def test_the_picture_is_saved_with_the_theme_of_the_page(page: Any, tmp_path: Path) -> None:
    page.locator(CANVAS).first.hover()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as PNG").first.click()
    download.value.save_as(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_nothing_of_the_curves_is_sent_while_nothing_changes(page: Any) -> None:
    """The line with the data's age lives on; a chart would be twenty times its size."""
    page.wait_for_timeout(1000)
    page.sent.clear()
    page.wait_for_timeout(17_000)
    assert sum(page.sent) < 3000, page.sent
