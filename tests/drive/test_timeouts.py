"""A Drive that takes a call and never answers: every kind of call ends as "unreachable", and nothing forbidden is done meanwhile."""

from __future__ import annotations

import io
import webbrowser

import httplib2
import pytest
import requests

from batonpass.core.errors import StoreUnreachableError
from batonpass.sync import sign_in
from batonpass.sync.drive import http, pydrive

CALLS = {
    "token": lambda s: (setattr(s.credential.google, "token", None), s.stat("a.json")),
    "files.get": lambda s: s.stat("a.json"),
    "files.list": lambda s: s.list_objects(""),
    "files.insert": lambda s: s.put("b.json", b"x"),
    "files.update": lambda s: s.put("a.json", b"y"),
    "files.delete": lambda s: s.delete("a.json"),
    "media.get": lambda s: s.fetch("a.json", io.BytesIO()),
    "upload.put": lambda s: s.put("big.bin", bytes(5 << 20)),
    "about.get": lambda s: s.about(),
    "files.generateIds": lambda s: s.new_ids(1000),
}


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT_S", (0.3, 0.3))
    monkeypatch.setattr(pydrive, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(sign_in, "TIMEOUT_S", 0.3)


@pytest.mark.parametrize("op", CALLS)
def test_a_call_that_nobody_answers_ends_as_unreachable(op, impatient, open_drive, emulator):
    """Drive would be silent for ten minutes; we are back with words."""
    store = open_drive()
    store.put("a.json", b"x")
    before = emulator.struck("stall")
    emulator.fault("stall", op=f"{op}|upload.query" if op == "upload.put" else op, times=0, for_s=600)
    with pytest.raises(StoreUnreachableError) as caught:
        CALLS[op](store)
    assert emulator.struck("stall") > before
    assert caught.value.hint or caught.value.message


def test_the_watch_notices_what_it_watches_for(trespasses, emulator):
    """A control: calls without a timeout, a browser, and PyDrive2's own sign-in are each put down."""
    with requests.Session() as session:
        session.get(f"{emulator.url}drive/v2/about")
    careless = httplib2.Http()
    careless.request(f"{emulator.url}drive/v2/about")
    careless.close()
    webbrowser.open("http://127.0.0.1/")
    from pydrive2.auth import GoogleAuth

    GoogleAuth(settings_file=None).LocalWebserverAuth()
    assert len(trespasses) == 4
    trespasses.clear()
