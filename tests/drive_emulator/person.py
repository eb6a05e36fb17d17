"""The person at the browser: a computer on which a login opens a page, and somebody goes where it leads."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Thread]]:
    """No notebook, and a browser whose person does at once what the emulator's consent says. Yields each visit to a page."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the emulator speaks plain HTTP
    visits: list[threading.Thread] = []

    def visit(url: str) -> None:
        with contextlib.suppress(URLError):  # the page at the end is the program's own, and it may have closed
            urlopen(url, timeout=30).close()

    class Browser:
        def open(self, url: str, **_options: object) -> bool:
            visits.append(threading.Thread(target=visit, args=(url,)))
            visits[-1].start()
            return True

    monkeypatch.setattr(webbrowser, "get", lambda *_: Browser())
    yield visits
    for each in visits:
        each.join()


def write_client(path: Path, url: str, secret: str = "GOCSPX-own") -> Path:
    """An OAuth client of type Desktop app, as Google's console hands it out; `url` is the emulator's."""
    client = {"client_id": "own.apps.example.org", "client_secret": secret}
    client |= {"auth_uri": f"{url}auth", "token_uri": f"{url}token"}
    path.write_text(json.dumps({"installed": client}))
    return path
