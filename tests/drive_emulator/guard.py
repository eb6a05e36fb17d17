"""Watches every test that speaks with a Drive: no call without a timeout, no browser, no sign-in of PyDrive2's own."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from functools import wraps
from typing import Any

import httplib2
import pytest
import requests
from pydrive2.auth import GoogleAuth

FORBIDDEN = ("LocalWebserverAuth", "CommandLineAuth", "GetAuthUrl", "ServiceAuth")


@pytest.fixture
def trespasses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was done that must not be, from whatever thread; the list must be empty at the end of the test."""
    found: list[str] = []
    _watch_timeouts(monkeypatch, found)

    def opened(url: str, *_: Any, **__: Any) -> bool:
        found.append("a browser was opened")
        return False

    for name in ("open", "open_new", "open_new_tab"):
        monkeypatch.setattr(webbrowser, name, opened)
    for name in FORBIDDEN:
        monkeypatch.setattr(GoogleAuth, name, lambda *_, _name=name, **__: found.append(f"PyDrive2's {_name}"))
    yield found
    assert not found


def _watch_timeouts(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    send, ask = requests.adapters.HTTPAdapter.send, httplib2.Http.request

    @wraps(send)
    def watched_send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("timeout"):
            found.append(f"requests: {request.method} without a timeout")
        return send(self, request, *args, **kwargs)

    @wraps(ask)
    def watched_ask(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.timeout:
            found.append("httplib2: a call without a timeout")
        return ask(self, *args, **kwargs)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", watched_send)
    monkeypatch.setattr(httplib2.Http, "request", watched_ask)
