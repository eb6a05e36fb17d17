"""Signing in on a computer, with a stand-in for the person at the browser."""

from __future__ import annotations

import json
import stat

import pytest
from drive_emulator.person import write_client

from batonpass.core.errors import SignInError, UsageError
from batonpass.core.settings import Settings
from batonpass.sync.login import login, write_secret


@pytest.fixture
def client_secrets(emulator, tmp_path):
    return write_client(tmp_path / "client.json", emulator.url)


def test_login_writes_a_token_that_works(person, client_secrets, emulator, open_drive, tmp_path):
    """The file is private, holds no access token, and opens a store."""
    said: list[str] = []
    token = login(client_secrets, tmp_path / "deep" / "token.json", say=said.append)
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    tree = json.loads(token.read_text())
    assert tree["type"] == "authorized_user"
    assert "token" not in tree
    assert tree["refresh_token"] not in "".join(said)
    assert "password" in said[-1]
    store = open_drive(Settings(home=tmp_path, drive_token=str(token), drive_endpoint=emulator.url))
    assert store.put("a.json", b"x").size_bytes == 1
    assert store.credential.scopes == {"https://www.googleapis.com/auth/drive.file"}


def test_a_refused_sign_in_is_said_without_secrets(person, client_secrets, emulator, tmp_path):
    """Google says no: no file, and a hint."""
    emulator.fault("answer", op="token", status=400, reason="x")
    with pytest.raises(SignInError) as caught:
        login(client_secrets, tmp_path / "token.json", say=lambda _: None)
    assert caught.value.hint
    assert caught.value.__context__ is None
    assert not (tmp_path / "token.json").exists()


@pytest.mark.parametrize("variable", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_a_notebook_cannot_sign_in(variable, monkeypatch, client_secrets, tmp_path):
    """Said at once, with the way that works."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(UsageError) as caught:
        login(client_secrets, tmp_path / "token.json")
    assert "computer" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"web": 1}', '{"installed": {"client_secret": "GOCSPX-x"}}', None])
def test_a_file_that_is_no_client_is_refused(text, person, tmp_path):
    """With the place where the right one is made, and without quoting it."""
    path = tmp_path / "client.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        login(path, tmp_path / "token.json", say=lambda _: None)
    assert "Desktop app" in caught.value.hint
    assert "GOCSPX" not in str(caught.value)


def test_a_secret_replaces_a_readable_file_privately(tmp_path):
    """An older file with loose rights does not pass them on."""
    path = tmp_path / "token.json"
    path.write_text("old")
    path.chmod(0o644)
    write_secret(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["token.json"]
