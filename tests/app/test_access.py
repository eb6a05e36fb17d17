"""A hosted app: who is let in, and that where it only looks nothing at all is written, whichever way one tries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from batonpass.core import naming
from batonpass.streamlit_app.access import (
    ALLOWED_EMAILS,
    NO_DOWNLOADS,
    READ_ONLY,
    Entry,
    ReadOnlyError,
    read_access,
)
from batonpass.streamlit_app.preferences import Preferences, preferences_file, save_preferences
from batonpass.streamlit_app.repository import Repository
from batonpass.streamlit_app.sign_in_parts import sign_in_faults
from batonpass.sync.stores import open_store

from .conftest import PAGES, AppMaker, words

PARTS = {
    "redirect_uri": "https://runs.example.org/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "x",
    "client_secret": "y",
    "server_metadata_url": "https://accounts.example.org/.well-known/openid-configuration",
}
AUTH = {"auth": PARTS}
LISTED = AUTH | {"batonpass": {"allowed_emails": ["Ada@Example.org"]}}
ADA = {"is_logged_in": True, "email": "ada@example.org", "email_verified": True}
APP = Path(__file__).resolve().parents[2] / "streamlit_app" / "app.py"


@pytest.mark.parametrize(
    ("secrets", "environment", "user", "entry"),
    [
        ({}, {}, {}, Entry.OPEN),
        (LISTED, {}, {}, Entry.SIGN_IN),
        (LISTED, {}, {"is_logged_in": False, "email": "ada@example.org"}, Entry.SIGN_IN),
        (LISTED, {}, ADA, Entry.OPEN),
        (LISTED, {}, ADA | {"email": " ADA@example.org "}, Entry.OPEN),
        (LISTED, {}, ADA | {"email": "eve@example.org"}, Entry.NOT_LISTED),
        (LISTED, {}, ADA | {"email": None}, Entry.NOT_LISTED),
        (LISTED, {}, ADA | {"email": "ada@example.org.evil.example"}, Entry.NOT_LISTED),
        (LISTED, {}, ADA | {"email_verified": False}, Entry.NOT_LISTED),
        (AUTH, {ALLOWED_EMAILS: "bob@example.org, ada@example.org"}, ADA, Entry.OPEN),
        (AUTH, {}, ADA, Entry.NO_LIST),
        (AUTH, {ALLOWED_EMAILS: " , "}, ADA | {"email": ""}, Entry.NO_LIST),
        ({}, {ALLOWED_EMAILS: "ada@example.org"}, ADA, Entry.NO_SIGN_IN),
        (AUTH | {"batonpass": "nonsense"}, {}, ADA, Entry.NO_LIST),
        (AUTH | {"batonpass": {"allowed_emails": 5}}, {}, ADA, Entry.NO_LIST),
        ({"batonpass": {"allowed_emails": []}}, {}, {}, Entry.NO_SIGN_IN),
        ({"auth": {}}, {}, {}, Entry.UNFINISHED),
        ({"auth": "nonsense"}, {}, ADA, Entry.UNFINISHED),
        (LISTED | {"auth": PARTS | {"cookie_secret": "a long random text"}}, {}, ADA, Entry.UNFINISHED),
        ({}, {ALLOWED_EMAILS: ""}, {}, Entry.OPEN),
    ],
)
def test_the_door_opens_only_for_a_signed_in_verified_address_on_the_list(
    secrets: dict[str, Any], environment: dict[str, str], user: dict[str, Any], entry: Entry
) -> None:
    assert read_access(secrets, environment).entry(user) is entry


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"redirect_uri": "http://localhost:{port}/oauth2callback"}, None),
        ({"redirect_uri": "http://127.0.0.1:8501/oauth2callback"}, None),
        ({"redirect_uri": "http://runs.example.org/oauth2callback"}, "must begin with `https://`"),
        ({"redirect_uri": "http://localhost.evil.example/oauth2callback"}, "must begin with `https://`"),
        ({"redirect_uri": "https://runs.example.org/"}, "must end in `/oauth2callback`"),
        ({"redirect_uri": "https://[/oauth2callback"}, "is no address"),
        ({"cookie_secret": "x" * 31}, "shorter than 32"),
        ({"client_id": "..."}, "`client_id` is missing"),
        ({"client_secret": 7}, "`client_secret` is missing"),
        ({"default": {"client_id": "x"}}, "`server_metadata_url` is missing"),
        ({"client_id": None, "default": {"client_id": "x", "client_secret": "y", "server_metadata_url": "z"}}, None),
    ],
)
def test_a_sign_in_that_lacks_a_part_names_it_and_no_value(change: dict[str, object], fault: str | None) -> None:
    faults = "; ".join(sign_in_faults(PARTS | change))
    assert (fault in faults) if fault else not faults
    assert "evil" not in faults


def test_a_sign_in_without_its_libraries_is_closed_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batonpass.streamlit_app.sign_in_parts.LIBRARIES", ("authlib", "no_such_library"))
    (fault,) = sign_in_faults(PARTS)
    assert fault.startswith("no_such_library must be installed")
    assert "batonpass[host]" in fault


def hosted(store: Path, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], secrets: dict[str, Any]) -> AppTest:
    monkeypatch.setenv("BATONPASS_STORE", str(store))
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.secrets = secrets
    at.user = user
    return at.run()


@pytest.mark.parametrize(
    ("user", "secrets", "said", "button"),
    [
        ({"is_logged_in": False}, LISTED, "people on its list", "Sign in"),
        (ADA | {"email": "e*v*e@example.org"}, LISTED, "not on the list", "Sign out"),
        (ADA, AUTH, "closed because its set-up", None),
        (ADA, LISTED | {"auth": {}}, "`cookie_secret` is missing", None),
    ],
)
def test_who_is_not_let_in_sees_no_run_and_opens_no_store(
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: dict[str, Any],
    secrets: dict[str, Any],
    said: str,
    button: str | None,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("batonpass.streamlit_app.choice.open_store", opened.append)
    at = hosted(store, monkeypatch, user, secrets)
    assert not at.exception
    assert said in words(at)
    assert "cats" not in words(at)
    assert "e*v*e" not in words(at), "the address is text, not markup"
    assert [b.label for b in at.button] == ([button] if button else [])
    assert not opened


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_reached_past_the_door(store: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    at = hosted(store, monkeypatch, {"is_logged_in": False}, LISTED)
    at = at.switch_page(f"views/{page}.py").run()
    assert "cats" not in words(at)
    assert [b.label for b in at.button] == ["Sign in"]


def test_who_is_on_the_list_sees_the_runs_and_can_sign_out(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = hosted(store, monkeypatch, ADA, LISTED)
    assert not at.exception
    assert "cats" in words(at)
    assert "Sign out" in [b.label for b in at.button]


def tree(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_read_only_page_says_so_and_offers_no_way_to_write(
    app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    before = tree(store)
    at = app(store, page=page, run="1a5e0000")
    assert not at.exception
    assert "only looks" in words(at)
    offered = {b.label for b in at.button}
    assert not offered & {
        "Keep",
        "Keep this note",
        "Check",
        "Check every byte",
        "Prove arrival",
        "Put Batonpass for notebooks there",
        "Use this store",
        "Forget this run",
    }
    assert tree(store) == before
    assert not preferences_file().exists()


WRITINGS = {
    "a note": lambda r, run: r.add_note(naming.notes_folder(run), "x"),
    "a note on an account": lambda r, _: r.add_account_note("new", "x"),
    "annotations": lambda r, run: r.edit_annotations(run, lambda a: a),
    "an account": lambda r, _: r.edit_account("new", lambda a: a),
    "the agent": lambda r, _: r.put_agent(),
    "the store itself": lambda r, run: r.through(lambda store: store.put(naming.annotations_file(run), b"{}")),
    "a deletion": lambda r, run: r.through(lambda store: store.delete(naming.head_file(run))),
}


@pytest.mark.parametrize("what", WRITINGS)
def test_every_writing_is_refused_where_the_app_only_looks_and_done_where_it_does_not(
    store: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = tree(store)
    run = next(f"runs/{p.name}/" for p in (store / "runs").glob("cats*"))
    monkeypatch.setenv(READ_ONLY, "1")
    looking = Repository(lambda: open_store(str(store)), None)
    assert looking.refresh().overview is not None
    with pytest.raises(ReadOnlyError, match="only looks"):
        WRITINGS[what](looking, run)
    assert tree(store) == before
    monkeypatch.delenv(READ_ONLY)
    WRITINGS[what](Repository(lambda: open_store(str(store)), None), run)
    assert tree(store) != before, "the check can fail"


def test_nothing_is_remembered_where_the_app_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READ_ONLY, "yes")
    with pytest.raises(OSError, match="only looks"):
        save_preferences(Preferences(pet="kitty"))
    monkeypatch.setenv(READ_ONLY, "0")
    save_preferences(Preferences(pet="kitty"))
    assert preferences_file().exists()


def test_a_checkpoint_is_taken_home_unless_that_is_switched_off(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(lambda: open_store(str(store)), None)
    overview = repository.refresh().overview
    assert overview is not None
    run = overview.run("1a5e0000")
    assert run is not None
    listing = next(c for s in reversed(run.files.sessions) for c in s.session.checkpoints)
    entry = repository.manifest(listing.key, store_id=listing.id).files[0]
    monkeypatch.setenv(NO_DOWNLOADS, "1")
    with pytest.raises(ReadOnlyError):
        repository.checkpoint_file(run.files.folder, entry)
    monkeypatch.delenv(NO_DOWNLOADS)
    assert hashlib.sha256(repository.checkpoint_file(run.files.folder, entry)).hexdigest() == entry.sha256


def test_this_computer_only_is_the_default_of_both_ways_to_start() -> None:
    import argparse
    import tomllib

    from batonpass.sync.commands.app import _options

    config = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["address"] in ("localhost", "127.0.0.1")
    assert "--server.address=127.0.0.1" in _options(argparse.Namespace(port=8501, no_browser=True))


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    st.cache_resource.clear()
