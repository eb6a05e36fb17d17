"""The real app in its own process and a real Chromium: what the browser tests and bench/screenshots.py share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
APP = CHECKOUT / "streamlit_app" / "app.py"
PAGES = ("", "run", "machines", "accounts", "resume", "settings")
"""As they stand in the address; the first page has none."""
LOOKS = {
    "light": ("light", 1280, 900, 1),
    "dark": ("dark", 1280, 900, 1),
    "phone": ("light", 390, 844, 1),
    "dark phone": ("dark", 390, 844, 1),
    "zoomed": ("light", 640, 450, 2),
}
"""Colours, width and height in CSS pixels, and device pixels in each. Twice as large is half as wide: a window of 1280 at 200 %."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """The browser of this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


REQUIRED = os.environ.get("BATONPASS_REQUIRE_BROWSER") == "1"
in_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(
        find_chromium() is None and not REQUIRED, reason="not run: there is no Chromium on this machine"
    ),
]
"""The marks of every module that drives a browser."""


@contextmanager
def serve(
    home: Path, *, store: str | None = None, patience_s: float = 60, variables: Mapping[str, str] | None = None
) -> Iterator[str]:
    """`streamlit run` on a free port of this computer; yields the address. Its home is `home`, its store from the environment,
    beside `variables`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BATONPASS_", "STREAMLIT_"))}
    environment |= {"BATONPASS_HOME": str(home), "PYTHONPATH": str(CHECKOUT / ".typelink")}
    environment |= variables or {}
    if store is not None:
        environment["BATONPASS_STORE"] = store
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless=true", f"--server.port={port}"]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health", server, time.monotonic() + patience_s)
            yield f"http://localhost:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium with a fresh profile; yields Playwright's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            yield found
        finally:
            found.close()


def settle(page: Any, *, patience_ms: float = 30_000) -> None:
    """Wait until the app has run and its charts have been drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=patience_ms)
    page.wait_for_selector('[data-testid="stMain"] h1', timeout=patience_ms)
    page.wait_for_function("() => !document.querySelector('[data-testid=\"stSkeleton\"]')", timeout=patience_ms)
    page.wait_for_function("() => document.fonts.status === 'loaded'", timeout=patience_ms)


def _wait_for(url: str, server: subprocess.Popen[bytes], deadline: float) -> None:
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the app's server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)
