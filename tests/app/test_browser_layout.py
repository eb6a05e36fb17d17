"""What a person sees of each page of the sample: nothing beside the window, nothing over anything else, words for every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .live_app import LOOKS, PAGES, in_browser, serve, settle

pytestmark = in_browser

SIDEWAYS = """() => {
    const inside = e => e.closest('pre, [data-testid="stDataFrame"], [role="tablist"], [data-testid="stTabs"] [role="tablist"]')
    const clipped = e => {
        for (let at = e.parentElement; at && at.dataset.testid !== 'stMain'; at = at.parentElement)
            if (getComputedStyle(at).overflowX !== 'visible') return true
        return false
    }
    const wide = [...document.querySelectorAll('[data-testid="stMain"] *')]
        .filter(e => e.checkVisibility() && !inside(e) && !e.closest('svg, canvas'))
        .filter(e => { const box = e.getBoundingClientRect(); return box.width && (box.right > innerWidth + 1 || box.left < -1) && !clipped(e) })
    const scroller = document.querySelector('[data-testid="stMain"]')
    return [
        ...(document.scrollingElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : []),
        ...(scroller.scrollWidth > scroller.clientWidth + 1 ? ['the main part scrolls sideways'] : []),
        ...wide.slice(0, 5).map(e => `${e.tagName} ${e.dataset.testid || e.className} ${(e.innerText || '').slice(0, 60)}`),
    ]
}"""
OVERLAPS = """() => {
    const all = [...document.querySelectorAll('[data-testid="stMain"] [data-testid="stElementContainer"]')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().height > 2 && e.getBoundingClientRect().width > 2)
    const found = []
    for (let i = 0; i < all.length; i++) for (let k = i + 1; k < all.length; k++) {
        const [a, b] = [all[i], all[k]]
        if (a.contains(b) || b.contains(a)) continue
        const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()]
        const across = Math.min(p.right, q.right) - Math.max(p.left, q.left)
        const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top)
        if (across > 3 && down > 3) found.push(`"${a.innerText.slice(0, 50)}" lies over "${b.innerText.slice(0, 50)}" by ${across}x${down}`)
    }
    return found.slice(0, 5)
}"""
SPILLS = """() => [...document.querySelectorAll('[data-testid="stMain"] button, [data-testid="stMain"] [data-testid="stMetric"], [data-testid="stMain"] label')]
    .filter(e => e.checkVisibility() && e.innerText.trim())
    .filter(e => e.scrollWidth > e.clientWidth + 8 && getComputedStyle(e).overflow === 'visible' && getComputedStyle(e).display !== 'inline')
    .map(e => `${e.tagName} "${e.innerText.slice(0, 60)}" needs ${e.scrollWidth} of ${e.clientWidth}`).slice(0, 5)"""
WORDLESS = """() => {
    const named = e => {
        for (let at = e; at && at !== document.body; at = at.parentElement)
            if ((at.getAttribute('aria-label') || at.getAttribute('alt') || '').trim()) return true
        return false
    }
    return [
        ...[...document.querySelectorAll('[data-testid="stMain"] img')].filter(e => !(e.getAttribute('alt') || '').trim()),
        ...[...document.querySelectorAll('[data-testid="stEChartsChart"], [data-testid="stDataFrame"]')]
            .filter(e => !named(e) && ![...e.querySelectorAll('[aria-label], [alt]')].some(named)),
        ...[...document.querySelectorAll('[data-testid="stMain"] button, [data-testid="stMain"] a')]
            .filter(e => e.checkVisibility() && !e.innerText.trim() && !named(e) && !e.title),
    ].map(e => e.outerHTML.slice(0, 200))
}"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("home")) as found:
        yield found


def complaints(page: Any) -> list[str]:
    """Everything that is wrong with how the page lies in the window."""
    found = []
    for script in (SIDEWAYS, OVERLAPS, SPILLS, WORDLESS):
        found += page.evaluate(script)
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_of_the_sample_fits_its_window(sample: str, open_tab: Callable[..., Any], look: str) -> None:
    page = open_tab(look)
    wrong = {}
    for name in PAGES:
        page.goto(f"{sample}/{name}?look=sample")
        settle(page)
        page.wait_for_timeout(300)
        assert page.locator('[data-testid="stException"]').count() == 0
        if found := complaints(page):
            wrong[name or "morning"] = found
    assert not wrong


@pytest.mark.parametrize("look", ["light", "phone", "zoomed"])
def test_every_tab_of_the_run_page_fits_its_window(sample: str, open_tab: Callable[..., Any], look: str) -> None:
    page = open_tab(look)
    page.goto(f"{sample}/run?look=sample&run=1a5e0000")
    settle(page)
    wrong = {}
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(300)
        if found := complaints(page):
            wrong[tab.inner_text()] = found
    assert not wrong


@pytest.mark.parametrize("run", ["1a5e0000", "2a5e0001"], ids=["a branch among them", "an error at the end"])
def test_the_table_of_sessions_fits_a_window_of_1280_pixels(
    sample: str, open_tab: Callable[..., Any], run: str
) -> None:
    page = open_tab()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{sample}/run?look=sample&run={run}")
    settle(page)
    table = page.get_by_role("tabpanel").locator('[data-testid="stDataFrame"] .dvn-scroller').first
    table.wait_for()
    shown, needed = table.evaluate("e => [e.clientWidth, e.scrollWidth]")
    assert needed <= shown


BAD = {
    "wide": "const e = document.createElement('div'); e.style.width = '3000px'; e.textContent = 'wide'; e.style.height = '20px'",
    "over": """const e = document.querySelector('[data-testid="stMain"] [data-testid="stElementContainer"]').cloneNode(true)
        e.style.position = 'absolute'; e.style.top = '130px'; e.style.height = '300px'; e.style.width = '300px'""",
    "wordless": "const e = document.createElement('img'); e.src = 'data:,'",
}


@pytest.mark.parametrize("what", BAD)
def test_the_checks_notice_what_they_are_for(sample: str, open_tab: Callable[..., Any], what: str) -> None:
    page = open_tab()
    page.goto(f"{sample}/settings?look=sample")
    settle(page)
    assert not complaints(page)
    page.evaluate(
        f"() => {{ {BAD[what]}; document.querySelector('[data-testid=\"stMainBlockContainer\"]').append(e) }}"
    )
    assert complaints(page)
