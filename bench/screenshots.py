"""Takes a picture of every page: light, dark, and as wide as a phone. `python bench/screenshots.py FOLDER [STORE]`; without a store
the simulated sample is shown. `python bench/screenshots.py --readme` renews docs/pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from app.live_app import LOOKS, PAGES, browser, serve, settle


def main(folder: Path, store: str | None) -> None:
    """One PNG per page and look, the whole length of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    query = "" if store else "?look=sample"
    with TemporaryDirectory() as home, serve(Path(home), store=store) as address, browser() as chromium:
        for look in ("light", "dark", "phone"):
            scheme, width, height, _ = LOOKS[look]
            context = chromium.new_context(
                color_scheme=scheme,
                viewport={"width": width, "height": height},
                timezone_id="Europe/Berlin",
                reduced_motion="reduce",
            )
            page = context.new_page()
            for name in PAGES:
                page.goto(f"{address}/{name}{query}")
                settle(page)
                page.wait_for_timeout(800)
                length = page.evaluate(
                    "() => document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight"
                )
                page.set_viewport_size({"width": width, "height": max(height, min(int(length), 5000))})
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name or 'morning'}-{look}.png")
                page.set_viewport_size({"width": width, "height": height})
                print(
                    f"{name or 'morning'}-{look}.png",
                    page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth"),
                )
            context.close()


PUBLISHED = {
    "morning": ("?look=sample", 820),
    "run": ("run?look=sample&run=1a5e0000", 1270),
    "machines": ("machines?look=sample", 900),
    "resume": ("resume?look=sample&run=2a5e0001", 900),
}
"""Pictures of the README and the docs: address, and height in CSS pixels."""


def renew_published(folder: Path) -> None:
    """The upper part of some pages on the sample, in few colours so that they stay small."""
    from PIL import Image

    with TemporaryDirectory() as home, serve(Path(home)) as address, browser() as chromium:
        for name, (path, height) in PUBLISHED.items():
            page = chromium.new_page(viewport={"width": 1160, "height": height}, reduced_motion="reduce")
            page.goto(f"{address}/{path}")
            settle(page)
            page.wait_for_timeout(1500)
            target = folder / f"{name}.png"
            page.screenshot(path=target)
            page.close()
            Image.open(target).convert("RGB").quantize(160, dither=Image.Dither.NONE).save(target, optimize=True)
            print(target, target.stat().st_size, "bytes")


if __name__ == "__main__":
    if "--readme" in sys.argv:
        renew_published(Path(__file__).resolve().parents[1] / "docs" / "pictures")
        sys.exit()
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"), sys.argv[2] if len(sys.argv) > 2 else None)
